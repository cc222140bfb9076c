/**
 * The encoder service as the host sees it: a process that lists, downloads and measures encoders. It is forked at the
 * first call, started again when it dies (downloads go on from their parts), and let go when nobody needs it.
 */
import { type ChildProcess, fork } from "node:child_process";
import path from "node:path";
import {
  type EncoderConfiguration,
  type EncoderEvent,
  type EncoderEventPayload,
  type EncoderMethod,
  type EncoderParams,
  type EncoderResult,
  encoderEvents,
  encoderMethods,
  encoderReplySchema,
  type Keychain,
} from "../../kernels/protocol/encoders.ts";
import { CancelledError, fromErrorData, ParallaxError } from "../../kernels/protocol/errors.ts";
import { packageRoot } from "./package-root.ts";

export const ENCODERS_ENTRY = "dist/kernels/encoders.entry.mjs";

const IDLE_MS = 60_000;
/** A service that dies more often than this is left dead until the next call. */
const MOST_RESTARTS = 3;
const RESTART_WINDOW_MS = 60_000;
const KILL_AFTER_MS = 2000;

/** Where the app keeps the hub's token: Electron's safeStorage. Absent outside of the app. */
export interface TokenVault {
  /** For people: "the macOS keychain". */
  readonly name: string;
  /** Why it cannot be used on this computer, for people; null: it can. Then the owner's file is used instead. */
  unavailable(): string | null;
  /** Null: none is kept. @throws when the one that is kept cannot be decrypted */
  read(): string | null;
  /** Null forgets it. @throws when the system's keychain does not take it */
  write(token: string | null): void;
}

export interface EncodersOptions {
  onEvent<E extends EncoderEvent>(event: E, payload: EncoderEventPayload<E>): void;
  /** What the service should know of runs and notebooks; asked for before calls that show it. */
  configuration(): Promise<Pick<EncoderConfiguration, "runs" | "notebooks">>;
  onTrouble(error: ParallaxError): void;
  vault?: TokenVault | undefined;
  /** Stand-in for tests. */
  entry?: string | undefined;
  env?: NodeJS.ProcessEnv | undefined;
  idleMs?: number | undefined;
}

interface Pending {
  child: ChildProcess;
  resolve(result: unknown): void;
  reject(error: unknown): void;
}

/** Calls whose answer says who uses an encoder. */
const SHOWS_USES = new Set<EncoderMethod>(["list", "details", "remove"]);

export class Encoders {
  readonly #options: EncodersOptions;
  readonly #pending = new Map<number, Pending>();
  /** Ids that are being downloaded now, to go on with after a death of the process. */
  readonly #downloading = new Set<string>();
  #child: ChildProcess | null = null;
  #subscribers = 0;
  #serial = 0;
  #deaths: number[] = [];
  #idle: NodeJS.Timeout | null = null;
  #isDisposed = false;

  constructor(options: EncodersOptions) {
    this.#options = options;
  }

  /** For tests and the log: the number of the process, when there is one. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /**
   * One call of the service.
   * @throws {ParallaxError} the service's own errors; encoders.service-stopped when it ends before it answers
   */
  async call<M extends EncoderMethod>(
    method: M,
    params: EncoderParams<M>,
    signal?: AbortSignal,
  ): Promise<EncoderResult<M>> {
    const child = this.#start();
    if (SHOWS_USES.has(method)) child.send({ configure: await this.#configuration() }, ignoreFailure);
    const { vault } = this.#options;
    if (method === "set-token" && vault !== undefined)
      return (await this.#setToken(vault, params as EncoderParams<"set-token">)) as EncoderResult<M>;
    const result = await this.#ask(method, params, signal);
    return encoderMethods[method].result.parse(result) as EncoderResult<M>;
  }

  /** A page looks at encoders: the process stays while it does. @returns a function that ends it */
  subscribe(): () => void {
    this.#subscribers++;
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      this.#subscribers--;
      this.#restIfIdle();
    };
  }

  /** Parts of downloads stay; they go on when asked for again. */
  async dispose(): Promise<void> {
    this.#isDisposed = true;
    if (this.#idle !== null) clearTimeout(this.#idle);
    const child = this.#child;
    if (child === null) return;
    // Not "close": Node 20 does not say it once this side has disconnected.
    const gone = new Promise<void>((resolve) => child.once("exit", () => resolve()));
    if (child.exitCode !== null || child.signalCode !== null) return;
    if (child.connected) child.disconnect();
    const timer = setTimeout(() => child.kill("SIGKILL"), KILL_AFTER_MS);
    await gone;
    clearTimeout(timer);
  }

  async #setToken(vault: TokenVault, { token }: EncoderParams<"set-token">): Promise<EncoderResult<"settings">> {
    // Without a keychain the service keeps it in the owner's file, as outside of the app. Forgotten is forgotten in both.
    const keepsInFile = vault.unavailable() !== null;
    try {
      if (token === null || !keepsInFile) vault.write(token);
    } catch {
      // Its own words may hold what was to be kept.
      throw new ParallaxError(
        "hub.token-not-kept",
        "The system's keychain did not take the token. It was not kept anywhere.",
        { kind: "environment", hint: "Unlock the keychain and try again, or set HF_TOKEN before Parallax starts." },
      );
    }
    this.#start().send({ configure: await this.#configuration() }, ignoreFailure);
    const change = token === null || keepsInFile;
    const result = await (change ? this.#ask("set-token", { token }) : this.#ask("settings", {}));
    return encoderMethods.settings.result.parse(result);
  }

  async #configuration(): Promise<EncoderConfiguration> {
    const known = await this.#options.configuration();
    const { vault } = this.#options;
    return vault === undefined ? known : { ...known, keychain: keychainOf(vault) };
  }

  #ask(method: EncoderMethod, params: unknown, signal?: AbortSignal): Promise<unknown> {
    const child = this.#start();
    const id = ++this.#serial;
    return new Promise((resolve, reject) => {
      const onAbort = () => {
        if (!this.#pending.delete(id)) return;
        if (child.connected) child.send({ cancel: id }, ignoreFailure);
        reject(new CancelledError("The call"));
        this.#restIfIdle();
      };
      signal?.addEventListener("abort", onAbort, { once: true });
      const settle = () => {
        signal?.removeEventListener("abort", onAbort);
        this.#pending.delete(id);
        this.#restIfIdle();
      };
      this.#pending.set(id, {
        child,
        resolve: (result) => {
          settle();
          resolve(result);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      });
      child.send({ id, method, params }, (error) => {
        if (error !== null) this.#pending.get(id)?.reject(stopped(error.message));
      });
    });
  }

  #start(): ChildProcess {
    if (this.#isDisposed) throw stopped("Parallax is closing");
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
    if (this.#child?.connected) return this.#child;
    const { entry = path.join(packageRoot(), ENCODERS_ENTRY) } = this.#options;
    const env: NodeJS.ProcessEnv = { ...process.env, ...this.#options.env };
    // Electron's binary runs as plain Node when it is told so.
    if (process.versions.electron !== undefined) env.ELECTRON_RUN_AS_NODE = "1";
    const child = fork(entry, [], { stdio: ["ignore", "ignore", "inherit", "ipc"], serialization: "advanced", env });
    this.#child = child;
    child.on("message", (message) => this.#receive(message));
    child.once("error", (error) => this.#gone(child, `it could not be started: ${error.message}`));
    // "close" comes after its last message, but not at all when this side disconnected: then "exit" is all there is.
    const ended = (code: number | null, signal: NodeJS.Signals | null) =>
      this.#gone(child, signal === null ? `exit code ${code}` : `signal ${signal}`);
    child.once("close", ended);
    child.once("exit", (code, signal) => {
      if (!child.connected) ended(code, signal);
    });
    void this.#configuration().then(
      (configure) => child.connected && child.send({ configure }, ignoreFailure),
      () => undefined,
    );
    return child;
  }

  #receive(raw: unknown): void {
    const parsed = encoderReplySchema.safeParse(raw);
    if (!parsed.success) return;
    const reply = parsed.data;
    if ("event" in reply) {
      if (!Object.hasOwn(encoderEvents, reply.event)) return;
      const event = reply.event as EncoderEvent;
      const payload = encoderEvents[event].safeParse(reply.payload);
      if (!payload.success) return;
      if (event === "changed") this.#note(payload.data as EncoderEventPayload<"changed">);
      this.#options.onEvent(event, payload.data as never);
    } else if ("error" in reply) this.#pending.get(reply.id)?.reject(fromErrorData(reply.error));
    else this.#pending.get(reply.id)?.resolve(reply.result);
  }

  #note({ entry }: EncoderEventPayload<"changed">): void {
    if (entry.state === "downloading") this.#downloading.add(entry.id);
    else this.#downloading.delete(entry.id);
    this.#restIfIdle();
  }

  #gone(child: ChildProcess, reason: string): void {
    for (const pending of [...this.#pending.values()]) if (pending.child === child) pending.reject(stopped(reason));
    if (this.#child !== child) return;
    this.#child = null;
    if (this.#isDisposed || this.#downloading.size === 0) return;
    const now = Date.now();
    this.#deaths = [...this.#deaths.filter((at) => now - at < RESTART_WINDOW_MS), now];
    const ids = [...this.#downloading];
    if (this.#deaths.length > MOST_RESTARTS) {
      this.#downloading.clear();
      this.#options.onTrouble(stopped(`${reason}; ${this.#deaths.length} times in a minute`));
      return;
    }
    for (const id of ids)
      this.#ask("download", { id }).catch((error: unknown) => {
        this.#downloading.delete(id);
        if (error instanceof ParallaxError) this.#options.onTrouble(error);
      });
  }

  #restIfIdle(): void {
    if (this.#idle !== null) clearTimeout(this.#idle);
    this.#idle = null;
    if (this.#child === null || this.#subscribers > 0 || this.#pending.size > 0 || this.#downloading.size > 0) return;
    this.#idle = setTimeout(() => {
      if (this.#pending.size === 0 && this.#child?.connected) this.#child.disconnect();
    }, this.#options.idleMs ?? IDLE_MS);
    this.#idle.unref();
  }
}

/** What a vault holds, without an exception: a keychain that is locked must not keep encoders from being listed. */
export function keychainOf(vault: TokenVault): Keychain {
  const unavailable = vault.unavailable();
  const about = { name: vault.name, unavailable };
  if (unavailable !== null) return { ...about, token: null, unreadable: false };
  try {
    return { ...about, token: vault.read(), unreadable: false };
  } catch {
    return { ...about, token: null, unreadable: true };
  }
}

/** A message that is not delivered meets a process that is gone; "close" tells those who wait. */
const ignoreFailure = (): void => undefined;

function stopped(reason: string): ParallaxError {
  return new ParallaxError(
    "encoders.service-stopped",
    `The process that looks after encoders stopped (${reason}). What was downloaded so far is kept.`,
    { kind: "environment", hint: "Try again; a download goes on where it was." },
  );
}
