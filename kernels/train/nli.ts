/** Training rows from natural language inference. */
import { ParallaxError } from "../protocol/errors.ts";
import { Random } from "./prng.ts";
import type { RowTable } from "./read-rows.ts";
import type { TrainingRow } from "./rows.ts";
import { textKey } from "./text-key.ts";

export interface NliOptions {
  /** Columns. Defaults: premise and hypothesis (or sentence1 and sentence2), label (or gold_label). */
  premise?: string | undefined;
  hypothesis?: string | undefined;
  label?: string | undefined;
  /** Entailed pairs whose premise is never contradicted are left out (default), or kept as pairs. */
  withoutNegative?: "drop" | "keep" | undefined;
  /** What every row says of its origin. Default: nothing. */
  task?: string | undefined;
  /** Which contradiction a row gets where a premise has several. Default 0. */
  seed?: number | undefined;
}

const IS = {
  entailment: new Set(["entailment", "entails", "0"]),
  contradiction: new Set(["contradiction", "contradicts", "2"]),
};

/**
 * Entailed hypotheses as positives of their premise, contradicted ones as hard negatives, as the supervised SimCSE and
 * the fine-tuning of E5 use them. Premises are compared without case and extra space. Labels are words, or 0 (entailment),
 * 1, 2 (contradiction). Data with two classes ("not_entailment") has no contradictions: keep its pairs with
 * `withoutNegative: "keep"`.
 *
 * @returns one row for each entailed pair; the same text as premise and hypothesis, or as positive and negative, is left
 *   out, and so is the second of two equal pairs.
 * @throws {ParallaxError} train.missing-column; train.too-few-pairs with the labels that were found
 */
export function nliTriplets(table: RowTable, options: NliOptions = {}): TrainingRow[] {
  const column = (asked: string | undefined, ...names: string[]) => {
    const name = asked ?? names.find((each) => table.columns.includes(each)) ?? names[0]!;
    if (table.columns.includes(name)) return table.column(name);
    throw new ParallaxError(
      "train.missing-column",
      `Inference data needs the column "${name}"; the table has ${table.columns.map((each) => `"${each}"`).join(", ")}.`,
      { hint: "Name it: nliTriplets(table, { premise, hypothesis, label }).", details: { missing: [name] } },
    );
  };
  const premises = column(options.premise, "premise", "sentence1").map(String);
  const hypotheses = column(options.hypothesis, "hypothesis", "sentence2").map(String);
  const labels = column(options.label, "label", "gold_label").map((label) => String(label).trim().toLowerCase());

  const contradicted = new Map<string, string[]>();
  labels.forEach((label, i) => {
    if (!IS.contradiction.has(label)) return;
    const key = textKey(premises[i]!);
    const known = contradicted.get(key);
    if (known === undefined) contradicted.set(key, [hypotheses[i]!]);
    else known.push(hypotheses[i]!);
  });
  const random = new Random(options.seed ?? 0, "nli");
  const seen = new Set<string>();
  const rows = labels.flatMap((label, i): TrainingRow[] => {
    const [anchor, positive] = [premises[i]!, hypotheses[i]!];
    const [a, p] = [textKey(anchor), textKey(positive)];
    if (!IS.entailment.has(label) || a === "" || p === "" || a === p) return [];
    const pair = JSON.stringify([a, p]);
    if (seen.has(pair)) return [];
    seen.add(pair);
    const negatives = (contradicted.get(a) ?? []).filter((text) => {
      const key = textKey(text);
      return key !== "" && key !== a && key !== p;
    });
    if (negatives.length === 0 && options.withoutNegative !== "keep") return [];
    const row: TrainingRow = { anchor, positive };
    if (negatives.length > 0) row.negatives = [negatives[random.below(negatives.length)]!];
    if (options.task !== undefined) row.task = options.task;
    return [row];
  });
  if (rows.length > 0) return rows;
  const found = [...new Set(labels)].slice(0, 6);
  throw new ParallaxError(
    "train.too-few-pairs",
    `None of ${table.n} rows is an entailed pair${options.withoutNegative === "keep" ? "" : " whose premise is also contradicted"}; the labels are ${found.map((label) => `"${label}"`).join(", ")}.`,
    {
      hint:
        options.withoutNegative === "keep"
          ? "Labels must be entailment, neutral, contradiction, or 0, 1, 2."
          : 'Data without contradictions gives pairs: nliTriplets(table, { withoutNegative: "keep" }).',
      details: { labels: found },
    },
  );
}
