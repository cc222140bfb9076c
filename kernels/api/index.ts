/** The public module "parallax": what cells, scripts and the command line import. One file per noun. */
export { DISPLAY, type Displayable, type MimeBundle } from "../protocol/display.ts";
export { CancelledError, ParallaxError } from "../protocol/errors.ts";
export { clearOutput, type DisplayHandle, display, html, markdown } from "./display.ts";
export { map, type MapOptions, type PlainVectors, type TextMap } from "./map.ts";
export { type Figure, plot } from "./plot.ts";
export { encode, EmbeddingSet, type EncodeOptions } from "./encode.ts";
export { Encoder, type EncoderLike, type EncoderOptions, type EncoderSpec, loadEncoder } from "./encoder.ts";
export { type Match, similarity, SimilarityMatrix } from "./similarity.ts";
export { createFineTune, type FineTuneOptions, type FineTuneResult, fineTune, type Pair, type PairColumns, pairsByLabel } from "./fine-tune.ts";
export { listRuns, listRunsBelow, openRun, resumeRun, type Run, type RunScore, type RunTable, stopRun } from "./run.ts";
export { runTrainConfig, type TrainConfig } from "./train-config.ts";
export { Table, type ReadTableOptions, readTable } from "./table.ts";
export { loadTask, type Task, type TaskFile, type TaskLike } from "./task.ts";
export { evaluate, type EvaluateOptions, type PromptSpec, type TaskResult } from "./evaluate.ts";
export { comparePrompts, type ComparePromptsOptions, type PromptInput, type PromptReport, type PromptSet } from "./prompts.ts";
