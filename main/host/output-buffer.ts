/** Gathers what a kernel prints into few operations: a loop that prints must not send a message a line. */
import type { NotebookOp } from "../../notebooks/format/model.ts";

/** Short enough to look immediate. */
const FLUSH_MS = 40;
/** Text a cell may print in one run. More is of no use to a reader and would fill the file and the page. */
export const STREAM_LIMIT_CHARS = 8 * 1024 * 1024;

export class OutputBuffer {
  readonly #apply: (ops: NotebookOp[]) => void;
  #ops: NotebookOp[] = [];
  #timer: NodeJS.Timeout | null = null;
  readonly #printed = new Map<string, number>();

  constructor(apply: (ops: NotebookOp[]) => void) {
    this.#apply = apply;
  }

  /** A cell begins a run: what it printed before no longer counts. */
  begin(cellId: string): void {
    this.#printed.delete(cellId);
  }

  push(op: NotebookOp): void {
    const last = this.#ops.at(-1);
    if (
      op.type === "append-stream" &&
      last?.type === "append-stream" &&
      last.cellId === op.cellId &&
      last.name === op.name
    )
      this.#ops[this.#ops.length - 1] = { ...last, text: last.text + op.text };
    else this.#ops.push(op);
    this.#timer ??= setTimeout(() => this.flush(), FLUSH_MS);
  }

  stream(cellId: string, name: "stdout" | "stderr", text: string): void {
    const before = this.#printed.get(cellId) ?? 0;
    this.#printed.set(cellId, before + text.length);
    if (before > STREAM_LIMIT_CHARS) return;
    this.push({ type: "append-stream", cellId, name, text });
    if (before + text.length > STREAM_LIMIT_CHARS) {
      const note = "\n[Parallax stopped keeping this cell's text here, after 8 MB. The cell itself goes on.]\n";
      this.push({ type: "append-stream", cellId, name: "stderr", text: note });
    }
  }

  flush(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    if (this.#ops.length === 0) return;
    const ops = this.#ops;
    this.#ops = [];
    this.#apply(ops);
  }
}
