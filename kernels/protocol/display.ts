/**
 * What a cell shows. An output is a MIME bundle, as in nbformat: our own type carries the data for our views, and plain
 * text, SVG, HTML or Plotly JSON beside it show the same in Jupyter, on GitHub and on paper.
 */

/** JSON-safe MIME bundle: strings for text types, objects for +json types, base64 for binary images. */
export type MimeBundle = Record<string, unknown>;

export const MIME = {
  value: "application/vnd.parallax.value+json",
  table: "application/vnd.parallax.table+json",
  map: "application/vnd.parallax.map+json",
  prompts: "application/vnd.parallax.prompts+json",
  task: "application/vnd.parallax.task+json",
  run: "application/vnd.parallax.run+json",
  plotly: "application/vnd.plotly.v1+json",
  svg: "image/svg+xml",
  png: "image/png",
  html: "text/html",
  markdown: "text/markdown",
  plain: "text/plain",
} as const;

/** A value that can show itself. Results of the API implement it; so may a user's own class. */
export const DISPLAY: unique symbol = Symbol.for("parallax.display") as never;
export interface Displayable {
  [DISPLAY](): MimeBundle | Promise<MimeBundle>;
}

/** `application/vnd.parallax.value+json`: the typed preview under a cell. */
export interface ValuePreview {
  version: 1;
  /** Variable's name when the cell ended with a declaration. */
  name?: string | undefined;
  /** "Float32 [200, 384]", "string[2000]", "number". */
  type: string;
  bytes?: number | undefined;
  /** One-line or few-line rendering, already cut. */
  preview: string;
  /** True when preview leaves something out. */
  cut: boolean;
}

/** `application/vnd.parallax.table+json`. */
export interface TableView {
  version: 1;
  title?: string | undefined;
  columns: TableColumn[];
  /** Row-major cells: string, number, boolean or null. At most a few hundred rows travel inline. */
  rows: (string | number | boolean | null)[][];
  /** Rows of the whole table; more than rows.length when cut. */
  total: number;
  /** Sentences under the table: n, seed, method, warnings. */
  notes: string[];
}
export interface TableColumn {
  name: string;
  kind: "text" | "number" | "boolean";
  /** Decimals to show for numbers. */
  decimals?: number | undefined;
  unit?: string | undefined;
}

/** `application/vnd.parallax.map+json`: MapLayout with arrays as base64 of little-endian bytes. */
export interface MapView {
  version: 1;
  n: number;
  dimensions: number;
  /** base64 float32 [n, 2]. */
  points: string;
  texts: string[];
  labels?: string[] | undefined;
  labelName?: string | undefined;
  /** base64 int32 [n, k]. */
  neighbours: string;
  /** base64 float32 [n, k]. */
  similarities: string;
  k: number;
  metric: string;
  method: string;
  minDist: number;
  epochs: number;
  seed: number;
  trustworthiness: number;
  trustworthinessK: number;
  trustworthinessN: number;
  notes: string[];
  encoderName?: string | undefined;
}

/** `application/vnd.parallax.run+json`: points at a run folder; the page watches it, the snapshot shows without it. */
export interface RunView {
  version: 1;
  /** Absolute folder, and the folder relative to the notebook when it lies below it. */
  folder: string;
  relative?: string | undefined;
  name: string;
  /** The loss of an encoder that tells nothing apart, or null for a loss without such a level. */
  chanceLoss: number | null;
  /** Score of the encoder before training, when a task was given. */
  base?: { metric: string; score: number; low: number; high: number; n: number; seed: number } | undefined;
  steps: number;
  /** What was known when the cell ended, thinned to at most 400 points a series. */
  snapshot: import("./run-files.ts").RunMetric[];
  state: import("./run-files.ts").RunStatus["state"];
}
