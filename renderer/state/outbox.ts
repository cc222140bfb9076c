/**
 * What was changed here and is not yet confirmed by the host, per notebook, in order. Typing is gathered for a moment;
 * everything else goes at once. Nothing is forgotten before the host has it.
 */
import type { NotebookOp } from "../../notebooks/format/model.ts";

const TYPING_MS = 200;

export type SendOps = (docId: string, ops: NotebookOp[]) => Promise<void>;

interface Queue {
  waiting: NotebookOp[];
  flying: NotebookOp[];
  timer: ReturnType<typeof setTimeout> | null;
  run: Promise<void> | null;
}

export class Outbox {
  #send: SendOps;
  #queues = new Map<string, Queue>();

  constructor(send: SendOps) {
    this.#send = send;
  }

  add(docId: string, ops: readonly NotebookOp[]): void {
    const queue = this.#queue(docId);
    for (const op of ops) push(queue.waiting, op);
    const typing = ops.every((op) => op.type === "set-source");
    if (queue.timer !== null && !typing) {
      clearTimeout(queue.timer);
      queue.timer = null;
    }
    queue.timer ??= setTimeout(
      () => {
        queue.timer = null;
        // A failure is reported by `send` itself, and the operations stay here.
        void this.flush(docId).catch(() => undefined);
      },
      typing ? TYPING_MS : 0,
    );
  }

  /** Resolves when the host has everything that was added before the call. */
  async flush(docId: string): Promise<void> {
    const queue = this.#queue(docId);
    if (queue.timer !== null) {
      clearTimeout(queue.timer);
      queue.timer = null;
    }
    while (queue.run !== null) await queue.run;
    if (queue.waiting.length === 0) return;
    queue.flying = queue.waiting;
    queue.waiting = [];
    queue.run = this.#send(docId, queue.flying).then(
      () => {
        queue.flying = [];
        queue.run = null;
      },
      (error: unknown) => {
        queue.waiting = [...queue.flying, ...queue.waiting];
        queue.flying = [];
        queue.run = null;
        throw error;
      },
    );
    await queue.run;
  }

  /** Changes that the host may not have, oldest first. */
  pending(docId: string): NotebookOp[] {
    const queue = this.#queue(docId);
    return [...queue.flying, ...queue.waiting];
  }

  drop(docId: string): void {
    const queue = this.#queue(docId);
    if (queue.timer !== null) clearTimeout(queue.timer);
    this.#queues.delete(docId);
  }

  #queue(docId: string): Queue {
    let queue = this.#queues.get(docId);
    if (!queue) {
      queue = { waiting: [], flying: [], timer: null, run: null };
      this.#queues.set(docId, queue);
    }
    return queue;
  }
}

/** Only the last text of a cell matters when nothing else came between. */
function push(ops: NotebookOp[], op: NotebookOp): void {
  const last = ops.at(-1);
  if (op.type === "set-source" && last?.type === "set-source" && last.cellId === op.cellId) ops[ops.length - 1] = op;
  else ops.push(op);
}
