/** The public module "parallax": what cells, scripts and the command line import. One file per noun. */
export { DISPLAY, type Displayable, type MimeBundle } from "../protocol/display.ts";
export { CancelledError, ParallaxError } from "../protocol/errors.ts";
export { clearVectorCache, type VectorCacheInfo, vectorCache } from "./cache.ts";
export {
  type CalibrateOptions,
  type Calibration,
  type CompactOptions,
  CompactVectors,
  calibrate,
  compact,
  type Ranges,
} from "./compact.ts";
export {
  Corpus,
  type EncodeCorpusOptions,
  encodeCorpus,
  type NearestTexts,
  type NearestTextsOptions,
  type NearText,
  openCorpus,
} from "./corpus.ts";
export { clearOutput, type DisplayHandle, display, html, markdown } from "./display.ts";
export { EmbeddingSet, type EncodeOptions, encode } from "./encode.ts";
export { Encoder, type EncoderLike, type EncoderOptions, type EncoderSpec, loadEncoder } from "./encoder.ts";
export {
  type DownloadedEncoder,
  type DownloadOptions,
  downloadEncoder,
  type EncoderEntry,
  type EncoderList,
  listEncoders,
} from "./encoders.ts";
export { estimateRun, estimateTrainConfig, type RunForecast } from "./estimate-run.ts";
export { type EvaluateOptions, evaluate, type PromptSpec, type TaskResult } from "./evaluate.ts";
export {
  createFineTune,
  type FineTuneOptions,
  type FineTuneResult,
  fineTune,
  type Pair,
  type PairColumns,
  pairsByLabel,
} from "./fine-tune.ts";
export { type MapOptions, map, type PlainVectors, type TextMap } from "./map.ts";
export { type MeasureEncoderOptions, measureEncoder } from "./measure.ts";
export {
  type FilterConsistentOptions,
  type FilterReport,
  filterConsistent,
  findLeaks,
  type LeakOptions,
  type LeakReport,
  LeaksFound,
  type MineNegativesOptions,
  type MiningReport,
  mineNegatives,
  RowsMade,
  removeLeaks,
  type ScoreReport,
  scoreRows,
} from "./mining.ts";
export { type Figure, plot } from "./plot.ts";
export {
  type ComparePrecisionsOptions,
  comparePrecisions,
  type Precision,
  type PrecisionReport,
  type VectorForm,
} from "./precision.ts";
export {
  type ComparePromptsOptions,
  comparePrompts,
  type PromptInput,
  type PromptReport,
  type PromptSet,
} from "./prompts.ts";
export { listRuns, listRunsBelow, openRun, type Run, type RunScore, type RunTable, resumeRun, stopRun } from "./run.ts";
export { type Match, SimilarityMatrix, similarity } from "./similarity.ts";
export { openSweep, type SweepOptions, type SweepOver, type SweepResult, type SweepRow, sweep } from "./sweep.ts";
export { runSweepConfig, type SweepConfig } from "./sweep-config.ts";
export { type ReadTableOptions, readTable, Table } from "./table.ts";
export { loadTask, type Task, type TaskFile, type TaskLike } from "./task.ts";
export { runTrainConfig, type TrainConfig } from "./train-config.ts";
export {
  type NliOptions,
  nliTriplets,
  type ReadRows,
  type ReadRowsOptions,
  type RowSource,
  type TrainingRow,
  trainingRows,
} from "./training-rows.ts";
