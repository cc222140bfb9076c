/**
 * A kernel: one process per notebook, which runs its cells and holds its variables.
 *
 * ## Starting it
 *
 * ```ts
 * import { KERNEL_ENTRY, KERNEL_ENV, KERNEL_FORK } from "kernels/protocol/kernel-process.ts";
 * const child = fork(path.join(packageRoot(), KERNEL_ENTRY), [], {
 *   ...KERNEL_FORK,
 *   cwd: folderOfTheNotebook,
 *   env: { ...process.env, ...KERNEL_ENV },          // in Electron also ELECTRON_RUN_AS_NODE: "1"
 * });
 * ```
 *
 * - `ready` is the first message. Messages (protocol/kernel-messages.ts) may be sent before it; they wait.
 * - The flag in `KERNEL_FORK` is needed: without it Node aborts when an interrupt ends JavaScript in mid-flight.
 * - stdout and stderr carry nothing of the cells (that comes as `stream` messages), only what native code prints and
 *   what a dying process says. Read them, keep the last lines for "Show log", or the pipes fill up and block it.
 * - The process ends by itself after `shutdown`, when the channel closes, and when the interrupt pipe closes.
 *
 * ## Interrupting it
 *
 * ```ts
 * (child.stdio[INTERRUPT_FD] as Writable).write(INTERRUPT_LINE);
 * ```
 *
 * Always this way, also when the cell seems to be awaiting. An `interrupt` message on the ordinary channel is read by
 * the main thread and so only reaches a cell that awaits. The pipe is read by a thread of its own: it asks the main
 * thread, and after 250 ms without an answer ends the JavaScript that runs there. Either way the cell is reported with
 * `done`, status "interrupted", the variables stay, and `finally` blocks of an awaiting cell run (half a second at most).
 * The pipe works the same on Windows (a named pipe) as elsewhere; give `child.stdio[INTERRUPT_FD]` an error listener.
 *
 * Native code cannot be ended: encodes, maps and fits run in threads of their own and stop between batches. When `done`
 * has not come five seconds after the interrupt, offer to kill the process; its death (exit code, signal) is the host's
 * to report.
 *
 * ## What it answers
 *
 * `execute`: busy, then stream, display, result, error, progress, run-started in the order of the cell, `done`, idle.
 * Executes queue. `analyse`, `variables` and `inspect` are answered at once, also while a cell awaits, each with its own
 * busy and idle. Output of a finished cell (a timer it left behind) still comes with that cell's id.
 */
import "./runtime/install.ts";
import { enableVectorCache } from "./encode/vector-cache.ts";
import { startKernel } from "./runtime/kernel.ts";

// Without it encoding only takes longer; `parallax doctor` and vectorCache() say more.
enableVectorCache();
startKernel();
