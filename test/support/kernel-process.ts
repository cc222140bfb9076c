/** A real kernel process for tests: started as the host starts it, with its messages at hand. */
import { type ChildProcess, fork } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Writable } from "node:stream";
import { MIME, type MimeBundle, type ValuePreview } from "../../kernels/protocol/display.ts";
import {
  type CellError,
  type FromKernel,
  fromKernelSchema,
  type ToKernel,
} from "../../kernels/protocol/kernel-messages.ts";
import {
  INTERRUPT_FD,
  INTERRUPT_LINE,
  KERNEL_ENTRY,
  KERNEL_ENV,
  KERNEL_FORK,
} from "../../kernels/protocol/kernel-process.ts";
import { root } from "../../scripts/build.mjs";

type Message<T extends FromKernel["type"]> = Extract<FromKernel, { type: T }>;

/** All that one execute gave. */
export interface CellOutcome {
  cellId: string;
  messages: FromKernel[];
  status: Message<"done">["status"];
  names: Message<"done">["names"];
  executionCount: number;
  stdout: string;
  stderr: string;
  result: MimeBundle | undefined;
  /** text/plain of the result. */
  text: string | undefined;
  displays: Message<"display">[];
  errors: CellError[];
  error: CellError | undefined;
}

export class KernelProcess {
  readonly child: ChildProcess;
  readonly folder: string;
  readonly messages: FromKernel[] = [];
  /** What the process itself printed: native code, crashes. */
  log = "";
  exit: { code: number | null; signal: NodeJS.Signals | null } | undefined;
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  readonly #listeners = new Set<() => void>();
  readonly #ownFolder: boolean;
  #requests = 0;

  private constructor(folder: string | undefined, env: NodeJS.ProcessEnv, execArgv: string[]) {
    this.#ownFolder = folder === undefined;
    this.folder = folder ?? mkdtempSync(path.join(tmpdir(), "parallax-kernel-"));
    this.child = fork(path.join(root, KERNEL_ENTRY), [], {
      ...KERNEL_FORK,
      execArgv: [...KERNEL_FORK.execArgv, ...execArgv],
      cwd: this.folder,
      env: { ...process.env, ...KERNEL_ENV, ...env },
    });
    this.child.stdout!.on("data", (data) => {
      this.log += data;
    });
    this.child.stderr!.on("data", (data) => {
      this.log += data;
    });
    this.child.stdio[INTERRUPT_FD]!.on("error", () => undefined);
    this.child.on("message", (message) => {
      // Also checks that every message a kernel sends is one that the host accepts.
      this.messages.push(fromKernelSchema.parse(message));
      for (const listener of this.#listeners) listener();
    });
    this.exited = new Promise((resolve) =>
      this.child.on("exit", (code, signal) => {
        this.exit = { code, signal };
        for (const listener of this.#listeners) listener();
        resolve(this.exit);
      }),
    );
  }

  static async start(
    options: { folder?: string; env?: NodeJS.ProcessEnv; execArgv?: string[] } = {},
  ): Promise<KernelProcess> {
    const kernel = new KernelProcess(options.folder, options.env ?? {}, options.execArgv ?? []);
    await kernel.until((m) => m.type === "ready");
    return kernel;
  }

  send(message: ToKernel): void {
    this.child.send(message);
  }

  /** The first message from index `from` that satisfies `test`. */
  until<T extends FromKernel>(test: (message: FromKernel) => message is T, from?: number): Promise<T>;
  until(test: (message: FromKernel) => boolean, from?: number): Promise<FromKernel>;
  until(test: (message: FromKernel) => boolean, from = 0): Promise<FromKernel> {
    return new Promise((resolve, reject) => {
      let next = from;
      const look = (): void => {
        for (; next < this.messages.length; next++) {
          const message = this.messages[next]!;
          if (!test(message)) continue;
          this.#listeners.delete(look);
          resolve(message);
          return;
        }
        if (this.exit === undefined) return;
        this.#listeners.delete(look);
        reject(new Error(`The kernel ended (${JSON.stringify(this.exit)}): ${this.log}`));
      };
      this.#listeners.add(look);
      look();
    });
  }

  /** Runs a cell and gathers all that it sent. Rejects when the process ends meanwhile. */
  async run(code: string, cellId?: string): Promise<CellOutcome> {
    this.#requests += 1;
    const requestId = `r${this.#requests}`;
    const cell = cellId ?? `c${this.#requests}`;
    const from = this.messages.length;
    this.send({ type: "execute", requestId, cellId: cell, code });
    await this.until((m) => m.type === "idle" && m.requestId === requestId, from);
    return outcome(
      this.messages.slice(from).filter((m) => m.type !== "stats"),
      cell,
    );
  }

  /** Value of an expression as text. */
  async text(code: string): Promise<string | undefined> {
    const { text, error } = await this.run(code);
    if (error) throw new Error(`${error.name}: ${error.error.message}`);
    return text;
  }

  async ask<T extends FromKernel["type"]>(
    request: Omit<ToKernel & { requestId: string }, "requestId">,
    answer: T,
  ): Promise<Message<T>> {
    this.#requests += 1;
    const requestId = `r${this.#requests}`;
    this.send({ ...request, requestId } as ToKernel);
    return this.until((m): m is Message<T> => m.type === answer && "requestId" in m && m.requestId === requestId);
  }

  interrupt(): void {
    (this.child.stdio[INTERRUPT_FD] as Writable).write(INTERRUPT_LINE);
  }

  async stop(): Promise<void> {
    if (this.exit === undefined) this.child.kill("SIGKILL");
    await this.exited;
    if (this.#ownFolder) rmSync(this.folder, { recursive: true, force: true });
  }
}

function outcome(messages: FromKernel[], cellId: string): CellOutcome {
  const mine = messages.filter((m) => "cellId" in m && m.cellId === cellId);
  const of = <T extends FromKernel["type"]>(type: T): Message<T>[] =>
    mine.filter((m): m is Message<T> => m.type === type);
  const stream = (name: string): string =>
    of("stream")
      .filter((m) => m.name === name)
      .map((m) => m.text)
      .join("");
  const [done] = of("done");
  const result = of("result")[0]?.data;
  return {
    cellId,
    messages,
    status: done!.status,
    names: done!.names,
    executionCount: done!.executionCount,
    stdout: stream("stdout"),
    stderr: stream("stderr"),
    result,
    text: result?.[MIME.plain] as string | undefined,
    displays: of("display"),
    errors: of("error").map((m) => m.error),
    error: of("error")[0]?.error,
  };
}

export const preview = (bundle: MimeBundle | undefined): ValuePreview | undefined =>
  bundle?.[MIME.value] as ValuePreview | undefined;
