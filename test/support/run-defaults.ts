/** The fields of a run's config that most tests do not care about. */
import type { RunConfig } from "../../kernels/protocol/run-files.ts";

export const RUN_DEFAULTS = {
  loss: { name: "info-nce", temperature: 0.05, symmetric: false, falseNegatives: { rule: "same-text" } },
  matryoshka: null,
  accumulate: 1,
  chunk: null,
  tasks: { apart: false, exponent: 1 },
  layerDecay: 1,
  freezeLayers: 0,
  freezeWordEmbeddings: true,
  dropout: 0,
  lora: null,
  prompts: { anchor: "", positive: "", negative: "" },
  keep: "last",
} as const satisfies Partial<RunConfig>;
