/** A point with its interval on a fixed 0 to 100 line (−100 to 100 when needed). Decoration for what stands beside it in words. */
export function IntervalBar({ score, low, high }: { score: number; low: number; high: number }) {
  if (![score, low, high].every(Number.isFinite)) return null;
  const floor = Math.min(score, low) < 0 ? -1 : 0;
  const at = (v: number) => `${(((Math.max(floor, Math.min(1, v)) - floor) / (1 - floor)) * 100).toFixed(2)}%`;
  return (
    <span className="out-bar" aria-hidden="true">
      <span className="out-bar-line" />
      <span className="out-bar-interval" style={{ left: at(low), right: `calc(100% - ${at(high)})` }} />
      <span className="out-bar-point" style={{ left: at(score) }} />
    </span>
  );
}
