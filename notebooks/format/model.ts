/**
 * A notebook as Parallax holds it in memory: nbformat 4.5, nothing dropped. Unknown keys of a notebook, a cell or an
 * output are kept in place, so that a file made elsewhere survives a round trip.
 */

/** Multi-line strings are joined here; the file's own form (string or list of lines) is restored when printing. */
export type CellType = "code" | "markdown" | "raw";

export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };
export type JsonObject = { [key: string]: Json };

export interface StreamOutput {
  output_type: "stream";
  name: "stdout" | "stderr";
  text: string;
  [key: string]: unknown;
}
export interface DisplayOutput {
  output_type: "display_data";
  data: Record<string, unknown>;
  metadata: JsonObject;
  [key: string]: unknown;
}
export interface ResultOutput {
  output_type: "execute_result";
  data: Record<string, unknown>;
  metadata: JsonObject;
  execution_count: number | null;
  [key: string]: unknown;
}
export interface ErrorOutput {
  output_type: "error";
  ename: string;
  evalue: string;
  traceback: string[];
  /**
   * Our CellError (kernels/protocol/kernel-messages.ts) for the view with cell and line. In memory only: nbformat allows
   * no such field, so after reopening the traceback says it.
   */
  parallax?: unknown;
  [key: string]: unknown;
}
/** An output of a type that nbformat does not know yet: kept, shown as JSON. */
export type Output = StreamOutput | DisplayOutput | ResultOutput | ErrorOutput;

export interface Cell {
  id: string;
  cell_type: CellType;
  source: string;
  metadata: JsonObject;
  /** Code cells only. */
  execution_count?: number | null;
  outputs?: Output[];
  /** Markdown and raw cells may have them. */
  attachments?: JsonObject;
}

export interface Notebook {
  nbformat: 4;
  nbformat_minor: number;
  metadata: JsonObject;
  cells: Cell[];
}

/**
 * One change. Host and page apply the same operations with the same pure reducer (`applyOp`), so that both hold the same
 * notebook. Each one has an inverse (`invertOp`), which is what undo applies.
 */
export type NotebookOp =
  | { type: "insert-cell"; index: number; cell: Cell }
  | { type: "delete-cell"; cellId: string }
  | { type: "move-cell"; cellId: string; index: number }
  | { type: "set-source"; cellId: string; source: string }
  | { type: "set-cell-type"; cellId: string; cellType: CellType }
  | { type: "set-cell-metadata"; cellId: string; metadata: JsonObject }
  | { type: "set-notebook-metadata"; metadata: JsonObject }
  | { type: "set-attachments"; cellId: string; attachments: JsonObject | null }
  | { type: "set-outputs"; cellId: string; outputs: Output[]; executionCount: number | null }
  | { type: "append-output"; cellId: string; output: Output }
  /** Stream text joins the last output when that is a stream of the same name. */
  | { type: "append-stream"; cellId: string; name: "stdout" | "stderr"; text: string }
  /** Replaces in place every output whose `metadata.parallax.displayId` matches (in all cells). */
  | { type: "update-display"; displayId: string; data: Record<string, unknown>; metadata: JsonObject }
  | { type: "set-execution-count"; cellId: string; executionCount: number | null };
