/** Where a download stands: bytes of each file, rate over the last seconds, time left. */
import type { DownloadProgress } from "../protocol/encoders.ts";
import type { PartFile } from "./part.ts";

const INTERVAL_MS = 100;
/** A download that stands still says so: its rate falls. */
const STILL_MS = 1000;
/** Short enough to follow the network, long enough not to jump. */
const WINDOW_MS = 5000;

export class DownloadMeter {
  readonly #files: { path: string; doneBytes: number; totalBytes: number }[];
  readonly #listener: ((progress: DownloadProgress) => void) | undefined;
  readonly #samples: { at: number; bytes: number }[] = [];
  #phase: DownloadProgress["phase"] = "downloading";
  #note: string | null = null;
  #sentAt = Number.NEGATIVE_INFINITY;
  #isNew = false;
  readonly #timer: NodeJS.Timeout;
  /** Bytes that came over the network since the start; those that were here already say nothing about the rate. */
  #received = 0;

  constructor(files: readonly PartFile[], listener: ((progress: DownloadProgress) => void) | undefined) {
    this.#files = files.map((file) => ({ path: file.path, doneBytes: 0, totalBytes: Math.max(0, file.sizeBytes) }));
    this.#listener = listener;
    this.#timer = setInterval(() => {
      if (this.#isNew || performance.now() - this.#sentAt > STILL_MS) this.#send();
    }, INTERVAL_MS);
    this.#timer.unref();
  }

  /** No more reports by themselves. */
  stop(): void {
    clearInterval(this.#timer);
  }

  /** Bytes of a file that are here now. */
  here(path: string, bytes: number, isReceived: boolean): void {
    const file = this.#files.find((each) => each.path === path)!;
    if (isReceived) this.#received += Math.max(0, bytes - file.doneBytes);
    file.doneBytes = bytes;
    file.totalBytes = Math.max(file.totalBytes, bytes);
    if (performance.now() - this.#sentAt < INTERVAL_MS) this.#isNew = true;
    else this.#send();
  }

  phase(phase: DownloadProgress["phase"]): void {
    if (phase === this.#phase) return;
    this.#phase = phase;
    this.#send();
  }

  note(note: string | null): void {
    if (note === this.#note) return;
    this.#note = note;
    this.#send();
  }

  now(): DownloadProgress {
    const doneBytes = this.#files.reduce((sum, file) => sum + file.doneBytes, 0);
    const totalBytes = this.#files.reduce((sum, file) => sum + file.totalBytes, 0);
    const rate = this.#phase === "downloading" ? this.#rate() : null;
    return {
      files: this.#files.map((file) => ({ ...file })),
      doneBytes,
      totalBytes,
      rate,
      etaMs: rate === null || rate <= 0 ? null : ((totalBytes - doneBytes) / rate) * 1000,
      phase: this.#phase,
      note: this.#note,
    };
  }

  #rate(): number | null {
    const at = performance.now();
    this.#samples.push({ at, bytes: this.#received });
    while (this.#samples.length > 2 && at - this.#samples[0].at > WINDOW_MS) this.#samples.shift();
    const [oldest] = this.#samples;
    return at - oldest.at < 200 ? null : ((this.#received - oldest.bytes) / (at - oldest.at)) * 1000;
  }

  #send(): void {
    this.#sentAt = performance.now();
    this.#isNew = false;
    this.#listener?.(this.now());
  }
}
