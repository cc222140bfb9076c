/** Whether somebody asked the trainer to stop: by the file `stop` in its folder, or by a signal. */
import { rmSync } from "node:fs";
import path from "node:path";
import { CancelledError } from "../protocol/errors.ts";
import { RUN_FILES } from "../protocol/run-files.ts";
import { type StopHow, stopRequest } from "./start.ts";

/** How often the file is looked for while an evaluation runs; between steps it is looked for each time. */
const POLL_MS = 200;

export class StopWatch {
  readonly #folder: string;
  readonly #onRequest: (how: StopHow) => void;
  readonly #controller = new AbortController();
  readonly #timer: NodeJS.Timeout;
  #how: StopHow | null = null;

  /** @param onRequest called once, or twice when "now" follows "after-step". */
  constructor(folder: string, onRequest: (how: StopHow) => void) {
    this.#folder = folder;
    this.#onRequest = onRequest;
    this.#timer = setInterval(() => this.#look(), POLL_MS);
    this.#timer.unref();
  }

  get requested(): StopHow | null {
    this.#look();
    return this.#how;
  }

  /** Aborted by either kind of stop: an evaluation can be made again, so it need not be waited for. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  request(how: StopHow): void {
    if (this.#how === how || this.#how === "now") return;
    this.#how = how;
    this.#onRequest(how);
    this.#controller.abort(new CancelledError("The run"));
  }

  /** @throws {CancelledError} */
  throwIfRequested(): void {
    if (this.requested !== null) throw new CancelledError("The run");
  }

  /** The trainer ends: a request that it followed is done with. */
  close(): void {
    clearInterval(this.#timer);
    if (this.#how !== null) rmSync(path.join(this.#folder, RUN_FILES.stop), { force: true });
  }

  #look(): void {
    const how = stopRequest(this.#folder);
    if (how !== null) this.request(how);
  }
}
