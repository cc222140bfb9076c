/** What the rounds come to: medians of the rounds' ratios, as lines of markdown. */
import { median } from "../support/python.mjs";

/** Which leg is raced against which, and what the ratio should be at least. */
const RACES = [
  ["transformers.js as documented, input order", "documented", "float32", 1.5],
  ["transformers.js, sorted by length", "sorted", "float32", 1.2],
  ["PyTorch, sorted by length", "torch", "float32", 1.2],
  ["our float32, by our int8", "float32", "int8", 2],
];

export const LEGS = {
  float32: "Parallax float32",
  documented: "transformers.js, input order",
  sorted: "transformers.js, sorted",
  torch: "PyTorch, sorted",
  int8: "Parallax int8",
};

const quantile = (values, share) => {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.round(share * (sorted.length - 1))];
};

/**
 * @param rounds one entry a round: texts, tokens, flops, gflops (the peak then), and by leg elapsedMs, cpuMs, padded
 * @returns      by race the median ratio of time and of processor time; by leg speed, padding and share of the peak
 */
export function summarise(rounds, threads) {
  const peak = Math.max(...rounds.map(({ gflops }) => gflops));
  const peakByCpu = Math.max(...rounds.map(({ gflopsByCpu }) => gflopsByCpu));
  const sum = (pick) => rounds.reduce((total, round) => total + pick(round), 0);
  const legs = Object.keys(LEGS)
    .filter((leg) => rounds[0].legs[leg] !== undefined)
    .map((leg) => {
      const seconds = sum(({ legs }) => legs[leg].elapsedMs) / 1000;
      const cpu = sum(({ legs }) => legs[leg].cpuMs) / 1000;
      return {
        leg,
        texts: sum(({ texts }) => texts),
        textsPerSecond: sum(({ texts }) => texts) / seconds,
        /** Of the time on the clock that `threads` cores would have given; far below 1 others used them. */
        cores: cpu / seconds / threads,
        padding: sum(({ legs }) => legs[leg].padded) / sum(({ tokens }) => tokens) - 1,
        shareOfPeak: sum(({ flops }) => flops) / seconds / 1e9 / peak,
        /** The same if the cores had been its own: operations by processor time. */
        shareOfPeakByCpu: (sum(({ flops }) => flops) / cpu / 1e9) * (threads / peakByCpu),
      };
    });
  const races = RACES.filter(([, theirs]) => rounds[0].legs[theirs] !== undefined).map(
    ([name, theirs, own, target]) => {
      const ratios = rounds.map(({ legs }) => legs[theirs].elapsedMs / legs[own].elapsedMs);
      const cpuRatios = rounds.map(({ legs }) => legs[theirs].cpuMs / legs[own].cpuMs);
      const spread = (values) => ({ low: quantile(values, 0.25), high: quantile(values, 0.75) });
      return {
        name,
        target,
        ratio: median(ratios),
        ...spread(ratios),
        cpuRatio: median(cpuRatios),
        /** What is left when padding is no one's merit: the ratio of times a padded token. */
        perToken: median(
          ratios.map((value, i) => (value * rounds[i].legs[own].padded) / rounds[i].legs[theirs].padded),
        ),
        whole: sum(({ legs }) => legs[theirs].elapsedMs) / sum(({ legs }) => legs[own].elapsedMs),
        ratios,
        cpuRatios,
      };
    },
  );
  return { peak, peakByCpu, legs, races };
}

const percent = (share) => `${Math.round(100 * share)} %`;

/** The summary as markdown. */
export function markdown({ about, notes, summary, profiles }) {
  const { peak, peakByCpu, legs, races } = summary;
  const lines = [
    ...about,
    "",
    "| by clock: times as fast as | median of rounds | middle half | all texts | a padded token | by processor time | target |",
    "| --- | --- | --- | --- | --- | --- | --- |",
    ...races.map(
      ({ name, ratio, low, high, whole, perToken, cpuRatio, target }) =>
        `| ${name} | ${ratio.toFixed(2)} | ${low.toFixed(2)} to ${high.toFixed(2)} | ${whole.toFixed(2)} | ${perToken.toFixed(2)} | ${cpuRatio.toFixed(2)} | ${target} ${ratio >= target ? "met" : "**missed**"} |`,
    ),
    "",
    `| leg | n | texts/s | of the peak (${Math.round(peak)} GFLOP/s, MatMul 1024³) | of ${Math.round(peakByCpu)} by processor time | cores it got | padding |`,
    "| --- | --- | --- | --- | --- | --- | --- |",
    ...legs.map(
      (row) =>
        `| ${LEGS[row.leg]} | ${row.texts} | ${row.textsPerSecond.toFixed(0)} | ${percent(row.shareOfPeak)} | ${percent(row.shareOfPeakByCpu)} | ${percent(row.cores)} | ${percent(row.padding)} |`,
    ),
    "",
    ...notes.map((note) => `- ${note}`),
  ];
  for (const [precision, profile] of Object.entries(profiles ?? {})) {
    const named = profile.operators.filter(({ share }) => share >= 0.005);
    lines.push(
      "",
      `${precision}, ${profile.batches} batches, ${profile.tokens} tokens (${profile.padded} with padding), ${percent(profile.between)} between operators: ${named
        .map(({ op, share, runs }) => `${op} ${(100 * share).toFixed(1)} % (${runs})`)
        .join(", ")}`,
    );
  }
  return lines.join("\n");
}
