/** A kernel's process as the host sees it: messages checked on arrival, requests answered, its last words kept. */
import { type ChildProcess, fork } from "node:child_process";
import path from "node:path";
import type { Readable, Writable } from "node:stream";
import { fromErrorData, ParallaxError } from "../../kernels/protocol/errors.ts";
import {
  type FromKernel,
  fromKernelSchema,
  KERNEL_PROTOCOL_VERSION,
  type ToKernel,
} from "../../kernels/protocol/kernel-messages.ts";
import {
  INTERRUPT_FD,
  INTERRUPT_LINE,
  KERNEL_ENTRY,
  KERNEL_ENV,
  KERNEL_FORK,
} from "../../kernels/protocol/kernel-process.ts";
import { packageRoot } from "./package-root.ts";

const LOG_LINES = 200;
/** After SIGTERM; a kernel has nothing to save. */
const KILL_AFTER_MS = 1000;

export interface KernelProcessOptions {
  /** Folder that cells run in. */
  cwd: string;
  /** Built entry; tests put a stand-in here. */
  entry?: string | undefined;
  env?: NodeJS.ProcessEnv | undefined;
  onMessage(message: FromKernel): void;
  /** Once, when the process is gone: "exit code 139", "signal SIGKILL". */
  onExit(reason: string): void;
}

type Answer = Extract<FromKernel, { type: "analysis" | "variables" | "inspected" }>;
type Request = Extract<ToKernel, { type: "analyse" | "variables" | "inspect" }>;
type WithoutId<T> = T extends unknown ? Omit<T, "requestId"> : never;

export class KernelProcess {
  /** What the process itself printed: native libraries and crashes. Newest last. */
  readonly log: string[] = [];
  readonly #child: ChildProcess;
  readonly #options: KernelProcessOptions;
  readonly #pending = new Map<string, { resolve(answer: Answer): void; reject(error: unknown): void }>();
  readonly #exited: Promise<void>;
  #serial = 0;
  #isGone = false;

  constructor(options: KernelProcessOptions) {
    this.#options = options;
    const { cwd, entry = path.join(packageRoot(), KERNEL_ENTRY) } = options;
    const env: NodeJS.ProcessEnv = { ...process.env, ...KERNEL_ENV, ...options.env };
    // Electron's binary runs as plain Node when it is told so.
    if (process.versions.electron !== undefined) env.ELECTRON_RUN_AS_NODE = "1";
    const child = fork(entry, [], { ...KERNEL_FORK, cwd, env });
    this.#child = child;
    this.#keepLog(child.stdout);
    this.#keepLog(child.stderr);
    (child.stdio[INTERRUPT_FD] as Writable | null)?.on("error", (error) =>
      this.#note(`interrupt pipe: ${error.message}`),
    );
    child.on("message", (message) => this.#receive(message));
    // A process that has let go of us but does not end (a thread of it hangs in a read) is of no use to anybody.
    child.once("disconnect", () => setTimeout(() => child.kill("SIGKILL"), 2 * KILL_AFTER_MS).unref());
    this.#exited = new Promise((resolve) => {
      const gone = (reason: string) => {
        if (this.#isGone) return;
        this.#isGone = true;
        for (const { reject } of this.#pending.values()) reject(stopped(reason));
        this.#pending.clear();
        options.onExit(reason);
        resolve();
      };
      child.once("error", (error) => gone(`it could not be started: ${error.message}`));
      // "close" comes after the last of its output, "exit" may come before.
      child.once("close", (code, signal) => gone(signal === null ? `exit code ${code}` : `signal ${signal}`));
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  send(message: ToKernel): void {
    if (this.#isGone || !this.#child.connected) return;
    this.#child.send(message, (error) => {
      if (error !== null) this.#note(`message ${message.type} was not delivered: ${error.message}`);
    });
  }

  /** A question with an answer. @throws {ParallaxError} kernel.stopped when the process ends first */
  request(message: WithoutId<Request>): Promise<Answer> {
    if (this.#isGone) return Promise.reject(stopped("it has ended"));
    const requestId = `host-${this.#serial++}`;
    return new Promise((resolve, reject) => {
      this.#pending.set(requestId, { resolve, reject });
      this.send({ ...message, requestId } as ToKernel);
    });
  }

  interrupt(): void {
    if (!this.#isGone) (this.#child.stdio[INTERRUPT_FD] as Writable | null)?.write(INTERRUPT_LINE);
  }

  /** Ends the process, whatever it does, and waits until it is gone. */
  async kill(): Promise<void> {
    if (!this.#isGone) {
      this.#child.kill("SIGTERM");
      const timer = setTimeout(() => this.#child.kill("SIGKILL"), KILL_AFTER_MS);
      await this.#exited;
      clearTimeout(timer);
    }
  }

  #receive(raw: unknown): void {
    const parsed = fromKernelSchema.safeParse(raw);
    if (!parsed.success) {
      this.#note(`a message was not understood: ${parsed.error.message.slice(0, 300)}`);
      return;
    }
    const message = parsed.data;
    if (message.type === "ready" && message.version !== KERNEL_PROTOCOL_VERSION)
      this.#note(
        `the kernel speaks protocol ${message.version}, this Parallax ${KERNEL_PROTOCOL_VERSION}: reinstall it`,
      );
    if (message.type === "analysis" || message.type === "variables" || message.type === "inspected") {
      const pending = this.#pending.get(message.requestId);
      this.#pending.delete(message.requestId);
      if (message.type === "inspected" && message.error) pending?.reject(fromErrorData(message.error));
      else pending?.resolve(message);
      return;
    }
    this.#options.onMessage(message);
  }

  #keepLog(stream: Readable | null): void {
    let rest = "";
    stream?.setEncoding("utf8").on("data", (text: string) => {
      const lines = (rest + text).split("\n");
      rest = (lines.pop() as string).slice(-2000);
      for (const line of lines) this.#note(line);
    });
    stream?.on("end", () => {
      if (rest !== "") this.#note(rest);
    });
  }

  #note(line: string): void {
    this.log.push(line.slice(0, 2000));
    if (this.log.length > LOG_LINES) this.log.splice(0, this.log.length - LOG_LINES);
  }
}

function stopped(reason: string): ParallaxError {
  return new ParallaxError("kernel.stopped", `The kernel stopped (${reason}) before it answered.`, {
    kind: "environment",
    hint: "Restart the kernel.",
  });
}
