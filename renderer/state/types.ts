/** What the page knows. What is saved (Notebook) and what is only live (states, selection, jobs) are apart. */
import type { ErrorData } from "../../kernels/protocol/errors.ts";
import type { CellState, HostResult, Job, KernelState, Settings } from "../../kernels/protocol/host-methods.ts";
import type { Notebook, NotebookOp, Output } from "../../notebooks/format/model.ts";
import type { ConnectionState } from "../host/client.ts";

export type CellMode = "command" | "edit";

/** One step of undo: what brings the earlier state back, what does it again, and what was selected. */
export interface UndoEntry {
  undo: NotebookOp[];
  redo: NotebookOp[];
  activeBefore: string | null;
  activeAfter: string | null;
}

/** Where the keyboard should go next; `serial` makes two equal wishes different. */
export interface FocusWish {
  cellId: string;
  target: "cell" | "editor" | "output";
  serial: number;
}

export interface LastGood {
  outputs: Output[];
  executionCount: number | null;
}

export interface DocumentState {
  docId: string;
  path: string | null;
  name: string;
  notebook: Notebook;
  revision: number;
  dirty: boolean;
  savedAt: string | null;
  saving: boolean;
  readOnly: boolean;
  problem: ErrorData | null;
  recovered: boolean;
  saveError: ErrorData | null;
  conflict: ErrorData | null;
  kernel: KernelState;
  cells: Readonly<Record<string, CellState>>;
  /** Outputs of the last run that succeeded, kept while a cell runs and after it failed. */
  lastGood: Readonly<Record<string, LastGood>>;
  active: string | null;
  /** Other end of the selected range; the active cell when only one is selected. */
  anchor: string | null;
  mode: CellMode;
  focus: FocusWish | null;
  undo: readonly UndoEntry[];
  redo: readonly UndoEntry[];
  lineNumbers: boolean;
  /** Markdown cells that show their source. */
  editing: Readonly<Record<string, true>>;
}

export interface JobState extends Job {
  /** Milliseconds since the epoch, by the page's clock. */
  since: number;
  /** When the user pressed Cancel; null before. */
  cancelledAt: number | null;
}

export type Tab = { kind: "start" } | { kind: "notebook"; docId: string } | { kind: "encoders" } | { kind: "runs" };

export type Overlay =
  | { kind: "palette" }
  | { kind: "help" }
  | { kind: "settings" }
  | { kind: "open" }
  | { kind: "save-as"; docId: string }
  | { kind: "restart"; docId: string; thenRun: string[] }
  | { kind: "close"; docId: string }
  | { kind: "overwrite"; docId: string }
  | { kind: "log"; docId: string };

export interface Notice {
  id: number;
  level: "info" | "warning" | "error";
  error: ErrorData;
}

export type SidePanel = "variables" | "outline";

export interface AppState {
  connection: ConnectionState;
  hello: HostResult<"app.hello"> | null;
  startPage: HostResult<"app.start-page"> | null;
  startPageError: ErrorData | null;
  settings: Settings;
  documents: Readonly<Record<string, DocumentState>>;
  tabs: readonly Tab[];
  /** Index into tabs. */
  activeTab: number;
  /** The notebook that was in front last, also while another screen is: panels write their cells there. */
  lastNotebook: string | null;
  jobs: Readonly<Record<string, JobState>>;
  overlay: Overlay | null;
  notices: readonly Notice[];
  /** What the live region says next. */
  announcement: string;
  sidePanel: SidePanel | null;
  railHidden: boolean;
  /** Cells cut or copied, oldest first. */
  clipboard: Notebook["cells"];
  /** Opening a notebook under way: what is being opened, for the busy line. */
  opening: string | null;
}
