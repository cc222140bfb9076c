/**
 * The thread that can stop the kernel's main thread. It reads interrupts from a pipe of its own, because the main
 * thread may be in a loop and read nothing. First it asks; when the main thread does not answer, it ends the JavaScript
 * that runs there through the inspector, which unwinds all frames and keeps all variables.
 */
import { Session } from "node:inspector";
import { Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { parentPort, workerData } from "node:worker_threads";
import { type FromInterruptWorker, INTERRUPT_STATE, type InterruptWorkerData } from "./interrupt-state.ts";

/**
 * A main thread that is only busy for a moment answers within this. Libraries give way every 100 ms; ending them instead
 * of asking would leave their work half done.
 */
const ANSWER_MS = 250;
/** How long after an interrupt a main thread that blocks again (in a catch or finally of the cell) is still ended. */
const WATCH_MS = 5000;
const GIVE_UP_MS = 30_000;
const PING_MS = 50;
/** How often the inspector's answer is looked for: it reaches this thread only when something else wakes it. */
const LOOK_MS = 5;

const { state, fd } = workerData as InterruptWorkerData;
const port = parentPort!;
const post = (message: FromInterruptWorker): void => port.postMessage(message);

let seq = 0;
let pings = 0;
let session: Session | undefined;

/**
 * Ends the JavaScript that runs on the main thread, and returns when that has happened. A main thread that has become
 * idle in the meantime would be struck at whatever it does next, so it is given something to do that may be lost.
 */
async function terminate(run: number): Promise<void> {
  if (session === undefined) {
    session = new Session();
    session.connectToMainThread();
  }
  let ended = false;
  session.post("Runtime.terminateExecution", () => {
    ended = true;
  });
  post({ type: "absorb" });
  while (!ended) await delay(LOOK_MS);
  post({ type: "terminated", run });
}

/** Waits for the main thread, at most ANSWER_MS. */
async function answered(done: () => boolean): Promise<void> {
  const end = performance.now() + ANSWER_MS;
  while (!done() && performance.now() < end) await delay(LOOK_MS);
}

async function interrupt(): Promise<void> {
  const run = Atomics.load(state, INTERRUPT_STATE.run);
  seq += 1;
  const mine = seq;
  const seen = (): boolean => Atomics.load(state, INTERRUPT_STATE.seen) >= mine;
  post({ type: "interrupt", seq: mine });
  await answered(seen);
  const started = performance.now();
  while (!seen() && performance.now() - started < GIVE_UP_MS) {
    await terminate(run);
    // The end may have struck the very callback that was to hear of it, so it is said again.
    post({ type: "interrupt", seq: mine });
    await answered(seen);
  }
  await watch(run);
}

/** Until the run is over, ends it again when the main thread stops answering. */
async function watch(run: number): Promise<void> {
  const started = performance.now();
  const running = (): boolean => run !== 0 && Atomics.load(state, INTERRUPT_STATE.run) === run;
  while (running() && performance.now() - started < WATCH_MS) {
    pings += 1;
    const ping = pings;
    post({ type: "ping", seq: ping });
    const alive = (): boolean => Atomics.load(state, INTERRUPT_STATE.pong) >= ping;
    await answered(() => alive() || !running());
    if (running() && !alive()) await terminate(run);
    // An awaiting cell may need its time of grace: no need to ask every few milliseconds.
    else if (running()) await delay(PING_MS);
  }
  session?.disconnect();
  session = undefined;
}

/** Interrupts one after the other: two at once would share the inspector session. */
let queue: Promise<void> = Promise.resolve();
let waiting = 0;
function enqueue(work: () => Promise<void>): void {
  if (waiting >= 2) return;
  waiting += 1;
  queue = queue
    .then(work)
    .catch((error: unknown) =>
      post({ type: "failed", message: error instanceof Error ? error.message : String(error) }),
    )
    .finally(() => {
      waiting -= 1;
    });
}

port.on("message", () => enqueue(() => watch(Atomics.load(state, INTERRUPT_STATE.run))));

if (fd !== undefined) {
  const pipe = new Socket({ fd, readable: true, writable: false });
  pipe.on("data", () => enqueue(interrupt));
  const orphaned = (): void => {
    post({ type: "orphaned" });
    // A main thread that loops will not hear it, and nobody is left who could use its variables.
    setTimeout(() => process.kill(process.pid, "SIGKILL"), 5000).unref();
  };
  pipe.on("error", orphaned);
  pipe.on("end", orphaned);
}
