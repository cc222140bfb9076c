/** What the terminal shows: errors in four parts, one progress line. */
import color from "picocolors";
import type { ErrorData } from "../../kernels/protocol/errors.ts";
import type { Progress } from "../../kernels/protocol/progress.ts";

/** What failed, why, and what to do next; the stack only for our own bugs. */
export function formatError(error: ErrorData): string {
  const lines = [`${color.red("error")} ${error.message} ${color.dim(`[${error.code}]`)}`];
  if (error.hint) lines.push(`  ${error.hint}`);
  for (let cause = error.cause; cause; cause = cause.cause) lines.push(color.dim(`  because: ${cause.message}`));
  if (error.kind === "bug") lines.push(...(error.stack ?? []).slice(0, 8).map((line) => color.dim(line)));
  return lines.join("\n");
}

export function formatDuration(duration: number): string {
  const milliseconds = Math.max(0, duration);
  if (milliseconds < 1000) return `${Math.round(milliseconds)} ms`;
  const seconds = milliseconds / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 90) return `${Math.round(seconds)} s`;
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`;
  return `${(seconds / 3600).toFixed(1)} h`;
}

/** "81 MB": bytes as people read them, in powers of ten. */
function formatBytes(bytes: number): string {
  const [unit, size] = bytes >= 1e9 ? ["GB", 1e9] : bytes >= 1e6 ? ["MB", 1e6] : bytes >= 1e3 ? ["kB", 1e3] : ["B", 1];
  const n = bytes / (size as number);
  return `${n >= 100 || unit === "B" || unit === "kB" ? Math.round(n) : n.toFixed(1)} ${unit}`;
}

const BAR_WIDTH = 20;

function formatBytesProgress(p: Progress): string {
  const left = p.etaMs === undefined ? "" : ` · ${formatDuration(p.etaMs)} left`;
  const rate = p.rate === undefined ? "" : ` · ${formatBytes(p.rate)}/s`;
  const note = p.note === undefined ? "" : ` · ${p.note}`;
  if (p.total === 0) return `${p.stage} · ${formatBytes(p.done)}${rate}${note}`;
  const share = Math.min(1, p.done / p.total);
  const full = Math.round(share * BAR_WIDTH);
  const bar = "█".repeat(full) + "░".repeat(BAR_WIDTH - full);
  return `${p.stage} ${bar} ${Math.floor(100 * share)} % · ${formatBytes(p.done)} of ${formatBytes(p.total)}${rate}${left}${note}`;
}

export function formatProgress(p: Progress): string {
  if (p.unit === "bytes") return formatBytesProgress(p);
  const share = p.total > 0 ? ` ${Math.floor((100 * p.done) / p.total)} %` : "";
  const count = p.total > 0 ? `${group(p.done)} of ${group(p.total)}` : group(p.done);
  const rate =
    p.rate === undefined ? "" : ` · ${p.rate >= 10 ? group(Math.round(p.rate)) : p.rate.toFixed(1)} ${p.unit}/s`;
  const left = p.etaMs === undefined ? "" : ` · ${formatDuration(p.etaMs)} left`;
  const note = p.note === undefined ? "" : ` · ${p.note}`;
  return `${p.stage}${share} · ${count} ${p.unit}${rate}${left}${note}`;
}

const group = (n: number): string => Math.round(n).toLocaleString("en-US");

/** One line on standard error that is redrawn on a terminal; elsewhere one line per stage and every ten seconds. */
export class ProgressLine {
  #stage = "";
  #printedAt = 0;
  #open = false;
  readonly #out: NodeJS.WriteStream;

  constructor(out: NodeJS.WriteStream = process.stderr) {
    this.#out = out;
  }

  show(progress: Progress): void {
    const now = Date.now();
    if (this.#out.isTTY) {
      if (now - this.#printedAt < 80 && progress.done < progress.total) return;
      const width = this.#out.columns ?? 100;
      this.#out.write(`\r\u001B[2K${formatProgress(progress).slice(0, width - 1)}`);
      this.#open = true;
    } else {
      // A log file wants few lines: none for work that takes less than two seconds, then one every ten.
      if (progress.stage !== this.#stage) {
        this.#stage = progress.stage;
        this.#printedAt = now - 8000;
      }
      if (now - this.#printedAt < 10_000) return;
      this.#out.write(`${formatProgress(progress)}\n`);
    }
    this.#stage = progress.stage;
    this.#printedAt = now;
  }

  /** A sentence above the line. */
  note(text: string): void {
    this.close();
    this.#out.write(`${text}\n`);
  }

  close(): void {
    if (this.#open) this.#out.write("\r\u001B[2K");
    this.#open = false;
  }
}
