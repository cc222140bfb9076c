/** What a cell prints: collected, sent in pieces, and cut when it is too much. */

/** How long a piece waits for more. */
const BATCH_MS = 20;
/** After a silence of that long this many pieces go at once: a few lines before a long computation must not wait for its end. */
const SILENCE_MS = 100;
const PROMPT_PIECES = 16;
/** A piece is sent at once when it is this long. */
const BATCH_LENGTH = 64 * 1024;
/** Characters that one run of a cell may print. */
export const OUTPUT_LIMIT = 2_000_000;

export type StreamName = "stdout" | "stderr";

export class CellOutput {
  readonly #send: (name: StreamName, text: string) => void;
  readonly #limit: number;
  #name: StreamName = "stdout";
  #parts: string[] = [];
  #length = 0;
  #total = 0;
  #cut = false;
  #timer: NodeJS.Timeout | undefined;
  #written = Number.NEGATIVE_INFINITY;
  #flushed = Number.NEGATIVE_INFINITY;
  /** Pieces sent since the last silence. */
  #pieces = 0;

  constructor(send: (name: StreamName, text: string) => void, limit: number = OUTPUT_LIMIT) {
    this.#send = send;
    this.#limit = limit;
  }

  write(name: StreamName, text: string): void {
    if (this.#cut || text === "") return;
    const room = this.#limit - this.#total;
    if (text.length > room) {
      this.#add(name, text.slice(0, room));
      this.#cut = true;
      const limit = this.#limit.toLocaleString("en-US");
      this.#add("stderr", `\n[The output is cut here: this run of the cell has printed ${limit} characters.]\n`);
      this.flush();
      return;
    }
    this.#add(name, text);
  }

  #add(name: StreamName, text: string): void {
    if (name !== this.#name) this.flush();
    const now = performance.now();
    if (now - this.#written >= SILENCE_MS) this.#pieces = 0;
    this.#written = now;
    this.#name = name;
    this.#parts.push(text);
    this.#length += text.length;
    this.#total += text.length;
    // In a loop that never returns no timer fires, so the clock is read here too.
    if (this.#length >= BATCH_LENGTH || this.#pieces < PROMPT_PIECES || now - this.#flushed >= BATCH_MS) this.flush();
    else this.#timer ??= setTimeout(() => this.flush(), BATCH_MS);
  }

  /** Sends what waits: before anything else of the cell is sent, so that the order stays. */
  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#parts.length === 0) return;
    const text = this.#parts.join("");
    this.#parts = [];
    this.#length = 0;
    this.#pieces += 1;
    this.#flushed = performance.now();
    this.#send(this.#name, text);
  }
}

/** Sends what is written to stdout and stderr of this process to the cell that writes it. */
export function captureStreams(receiver: () => CellOutput | undefined): void {
  for (const name of ["stdout", "stderr"] as const) {
    const stream = process[name];
    const real = stream.write.bind(stream) as (...values: unknown[]) => boolean;
    const decoder = new TextDecoder();
    const write = (chunk: unknown, encoding?: unknown, callback?: unknown): boolean => {
      const output = receiver();
      if (output === undefined) return real(chunk, encoding, callback);
      const text =
        typeof chunk === "string"
          ? chunk
          : chunk instanceof Uint8Array
            ? decoder.decode(chunk, { stream: true })
            : String(chunk);
      output.write(name, text);
      const done = typeof encoding === "function" ? encoding : callback;
      if (typeof done === "function") process.nextTick(done as () => void);
      return true;
    };
    stream.write = write as typeof stream.write;
  }
}
