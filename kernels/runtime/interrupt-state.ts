/** The few numbers that the kernel's main thread and its interrupt thread share, and what they tell each other. */

export const INTERRUPT_STATE = {
  /** Newest interrupt that the main thread has seen. */
  seen: 0,
  /** Number of the run under way, 0 when none is. */
  run: 1,
  /** Newest ping that the main thread has answered. */
  pong: 2,
  length: 3,
} as const;

export interface InterruptWorkerData {
  state: Int32Array;
  /** File descriptor of the host's pipe, undefined when the kernel was started without one. */
  fd: number | undefined;
}

export type FromInterruptWorker =
  /** The user asks to stop. */
  | { type: "interrupt"; seq: number }
  /** JavaScript of the main thread was ended on the way: frames of the running cell are gone. */
  | { type: "terminated"; run: number }
  | { type: "ping"; seq: number }
  /** Nothing: what an end that comes too late strikes instead of something that matters. */
  | { type: "absorb" }
  /** The inspector refused. */
  | { type: "failed"; message: string }
  /** The host is gone. */
  | { type: "orphaned" };

/** An interrupt came over the ordinary channel, so the main thread is alive and has seen it: watch that it stays so. */
export interface ToInterruptWorker {
  type: "watch";
}
