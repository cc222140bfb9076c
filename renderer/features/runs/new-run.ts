/** The New run form as data: what it holds, what is wrong with it, what it asks the host, and the cell it writes. Pure. */

import { LOSS_NEEDS, type LossName } from "../../../kernels/protocol/losses.ts";
import { CUSTOMARY_PAIRS } from "../../../kernels/protocol/pair-columns.ts";
import type { RunRequest } from "../../../kernels/protocol/run-plans.ts";
import type { NotebookOp } from "../../../notebooks/format/model.ts";
import { newCell } from "../../../notebooks/format/ops.ts";
import { cellIndex } from "../../state/selectors.ts";
import type { DocumentState } from "../../state/types.ts";

export interface NewRun {
  /** What loadEncoder takes. */
  encoder: string;
  /** Data file, absolute or relative to the root. */
  pairs: string;
  /** Columns by part; "" where the trainer finds its own. */
  columns: Readonly<Record<ColumnPart, string>>;
  evaluation: string;
  loss: LossName;
  batchSize: string;
  steps: string;
  learningRate: string;
  temperature: string;
  seed: string;
  lora: boolean;
  dropDuplicates: boolean;
}

export type ColumnPart = "anchor" | "positive" | "group" | "score";
export const COLUMN_PARTS: readonly ColumnPart[] = ["anchor", "positive", "group", "score"];

export const FIRST_RUN: NewRun = {
  encoder: "default",
  pairs: "",
  columns: { anchor: "", positive: "", group: "", score: "" },
  evaluation: "",
  loss: "info-nce",
  batchSize: "32",
  steps: "",
  learningRate: "2e-5",
  temperature: "0.05",
  seed: "0",
  lora: false,
  dropDuplicates: false,
};

export const LOSSES: readonly { name: LossName; label: string; when: string }[] = [
  { name: "info-nce", label: "InfoNCE", when: "Pairs of texts that belong together: the usual choice." },
  { name: "gte", label: "GTE's InfoNCE, four parts", when: "Pairs whose two sides are alike, such as two wordings." },
  { name: "instructor", label: "InstructOR's InfoNCE", when: "Rows with instructions and a hard negative." },
  { name: "triplet", label: "Triplet", when: "One hard negative a row and small batches." },
  { name: "cosent", label: "CoSENT", when: "Pairs with a score whose order counts, such as STS." },
  {
    name: "cosine-mse",
    label: "Cosine, squared error",
    when: "Pairs with a score from 0 to 1 that the cosine should equal.",
  },
  { name: "distillation", label: "Distillation (KL)", when: "A teacher scored the positive and each negative." },
  { name: "margin-mse", label: "Margin-MSE", when: "A teacher's differences between positive and negative." },
];

/** What a row must hold, in words. */
export function lossNeeds(loss: LossName): string {
  const { negatives, scores, inBatch } = LOSS_NEEDS[loss];
  const parts = ["two texts a row"];
  if (negatives === "required") parts.push("at least one hard negative");
  if (scores === "pair") parts.push("a score");
  if (scores === "candidates") parts.push("a teacher's score of the positive and of each negative");
  const optional = negatives === "optional" ? " Hard negatives are used when every row has some." : "";
  const batch = inBatch
    ? " The other rows of a batch are its negatives: a larger batch is harder and better."
    : " The batch only averages.";
  return `Needs ${parts.join(", ")}.${optional}${batch}`;
}

export const hasTemperature = (loss: LossName): boolean =>
  loss === "info-nce" || loss === "gte" || loss === "instructor" || loss === "distillation";

/** The columns that the trainer finds by their customary names (kernels/train/row-columns.ts); null for other layouts. */
export function foundColumns(names: readonly string[]): { anchor: string; positive: string } | null {
  const pair = CUSTOMARY_PAIRS.find((each) => each.every((name) => names.includes(name)));
  return pair === undefined ? null : { anchor: pair[0], positive: pair[1] };
}

export type NumberField = "batchSize" | "steps" | "learningRate" | "temperature" | "seed";

const RULES: Record<NumberField, { label: string; says: string; holds(value: number): boolean; empty: boolean }> = {
  batchSize: {
    label: "Batch",
    says: "a whole number from 2",
    holds: (v) => Number.isSafeInteger(v) && v >= 2,
    empty: false,
  },
  steps: {
    label: "Steps",
    says: "a whole number from 1, or empty for one pass over the data",
    holds: (v) => Number.isSafeInteger(v) && v >= 1,
    empty: true,
  },
  learningRate: {
    label: "Learning rate",
    says: "a number over 0, such as 2e-5",
    holds: (v) => v > 0 && Number.isFinite(v),
    empty: false,
  },
  temperature: {
    label: "Temperature",
    says: "a number over 0, such as 0.05",
    holds: (v) => v > 0 && Number.isFinite(v),
    empty: false,
  },
  seed: { label: "Seed", says: "a whole number", holds: Number.isSafeInteger, empty: false },
};

/** What is wrong with a number, or null. */
export function faultOf(run: NewRun, field: NumberField): string | null {
  if (field === "temperature" && !hasTemperature(run.loss)) return null;
  const { says, holds, empty } = RULES[field];
  const text = run[field].trim();
  if (text === "") return empty ? null : `Give ${says}.`;
  return holds(Number(text)) ? null : `${text} is not ${says}.`;
}

export function isWhole(run: NewRun): boolean {
  const fields = Object.keys(RULES) as NumberField[];
  return run.pairs.trim() !== "" && run.encoder !== "" && fields.every((field) => faultOf(run, field) === null);
}

function recipeOf(run: NewRun): Record<string, unknown> {
  return {
    ...(run.loss === "info-nce" ? {} : { loss: run.loss }),
    batchSize: Number(run.batchSize),
    ...(run.steps.trim() === "" ? {} : { steps: Number(run.steps) }),
    learningRate: Number(run.learningRate),
    ...(hasTemperature(run.loss) ? { temperature: Number(run.temperature) } : {}),
    ...(run.lora ? { lora: true } : {}),
    seed: Number(run.seed),
  };
}

function columnsOf({ columns }: NewRun): Record<string, string> | undefined {
  const named = COLUMN_PARTS.flatMap((part) => (columns[part] === "" ? [] : [[part, columns[part]] as const]));
  return named.length === 0 ? undefined : Object.fromEntries(named);
}

/** The same question as the cell's, for the host to answer beforehand. */
export function requestOf(run: NewRun): RunRequest {
  const columns = columnsOf(run);
  return {
    encoder: run.encoder,
    pairs: run.pairs.trim(),
    ...(columns === undefined ? {} : { columns }),
    ...(run.evaluation.trim() === "" ? {} : { evaluation: run.evaluation.trim() }),
    ...(run.dropDuplicates ? { dropDuplicates: true } : {}),
    recipe: recipeOf(run),
  };
}

/** "2e-5" stays "2e-5": a cell should read as the form did. */
function literal(run: NewRun, name: string, value: unknown): string {
  if (name === "learningRate" || name === "temperature") return run[name].trim();
  return JSON.stringify(value);
}

/**
 * The cell that starts the run.
 * @param variable free name for the result. @param place turns a file named from the root into one from the notebook.
 */
export function newRunCell(run: NewRun, variable = "tuned", place: (file: string) => string = (file) => file): string {
  const columns = columnsOf(run);
  const object = (value: Record<string, string>) =>
    `{ ${Object.entries(value)
      .map(([key, each]) => `${key}: ${JSON.stringify(each)}`)
      .join(", ")} }`;
  const file = JSON.stringify(place(run.pairs.trim()));
  const options = [
    `encoder: ${JSON.stringify(run.encoder)}`,
    `pairs: ${run.dropDuplicates ? `${variable}Pairs` : file}`,
    ...(columns === undefined ? [] : [`columns: ${object(columns)}`]),
    ...(run.evaluation.trim() === "" ? [] : [`evaluation: ${JSON.stringify(place(run.evaluation.trim()))}`]),
    ...Object.entries(recipeOf(run)).map(([name, value]) => `${name}: ${literal(run, name, value)}`),
  ];
  const text = (part: "anchor" | "positive") => `row[${JSON.stringify(run.columns[part] || part)}]`;
  const distinct = [
    `// Rows whose two texts were there before, without case and extra space, are left out.`,
    `const ${variable}Seen = new Set<string>();`,
    `const ${variable}Pairs = (await readTable(${file})).filter((row) => {`,
    `  const key = \`\${${text("anchor")}}\\t\${${text("positive")}}\`.toLowerCase().replace(/ +/g, " ");`,
    `  return !${variable}Seen.has(key) && ${variable}Seen.size < ${variable}Seen.add(key).size;`,
    "});",
  ];
  return [
    `import { fineTune${run.dropDuplicates ? ", readTable" : ""} } from "parallax";`,
    "",
    ...(run.dropDuplicates ? distinct : []),
    `const ${variable} = await fineTune({`,
    ...options.map((option) => `  ${option},`),
    "});",
    variable,
  ].join("\n");
}

/** The sample of the empty screen: 300 texts of the example's data, two of a topic belong together. */
export const SAMPLE_CELL = `import { fineTune, pairsByLabel, readTable } from "parallax";

const sampleTexts = await readTable("data/texts.tsv");
const sampleRun = await fineTune({
  pairs: pairsByLabel(sampleTexts.text("text"), sampleTexts.text("topic")),
  evaluation: "data/pairs.tsv",
  batchSize: 12,
  steps: 40,
  learningRate: 5e-5,
  seed: 1,
});
sampleRun`;

/** "tuned", "tuned2", …: a name that no cell declares yet. */
export function freeVariable(doc: DocumentState | null): string {
  const source = (doc?.notebook.cells ?? []).map((cell) => cell.source).join("\n");
  for (let n = 1; ; n++) {
    const name = n === 1 ? "tuned" : `tuned${n}`;
    if (!new RegExp(`\\b(?:const|let|var)\\s+${name}\\b`).test(source)) return name;
  }
}

/** A file named from the root, as the notebook in `notebookPath` (from the root, null when unsaved) names it. */
export function fromNotebook(file: string, notebookPath: string | null): string {
  if (/^(?:[/\\]|[A-Za-z]:)/.test(file)) return file;
  const folders = (notebookPath ?? "").split("/").slice(0, -1);
  const parts = file.split("/");
  let shared = 0;
  while (shared < folders.length && shared < parts.length - 1 && folders[shared] === parts[shared]) shared++;
  return [...folders.slice(shared).map(() => ".."), ...parts.slice(shared)].join("/");
}

/** In place of the active cell if that is empty, else at the end, where it follows what it may use. */
export function placeCell(doc: DocumentState, source: string): { ops: NotebookOp[]; cellId: string } {
  const active = doc.notebook.cells[cellIndex(doc, doc.active)];
  if (active?.cell_type === "code" && active.source.trim() === "")
    return { ops: [{ type: "set-source", cellId: active.id, source }], cellId: active.id };
  const cell = newCell("code", source);
  return { ops: [{ type: "insert-cell", index: doc.notebook.cells.length, cell }], cellId: cell.id };
}
