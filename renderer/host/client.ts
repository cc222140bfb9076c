/**
 * The only file of the page that speaks to the host. Typed from hostMethods and hostEvents, validates what arrives,
 * connects again with growing pauses, and rejects what was under way when the connection went.
 */
import { z } from "zod";
import { CancelledError, fromErrorData, ParallaxError } from "../../kernels/protocol/errors.ts";
import {
  HOST_PROTOCOL_VERSION,
  type HostEvent,
  type HostEventPayload,
  type HostMethod,
  type HostParams,
  type HostResult,
  hostEvents,
  hostMethods,
  type Port,
  replySchema,
} from "../../kernels/protocol/host-methods.ts";

// The page's content security policy refuses eval, which zod would otherwise probe for.
z.config({ jitless: true });

export type ConnectionState =
  | { state: "connecting" }
  | { state: "open" }
  /** Between two attempts; `attempt` counts from 1. */
  | { state: "lost"; reason: string; attempt: number; retryInMs: number };

export interface CallOptions {
  signal?: AbortSignal | undefined;
  /** Milliseconds; 0 waits for ever. Default 30,000. */
  timeoutMs?: number | undefined;
}

export interface ClientOptions {
  /** First pause before connecting again. Doubles up to 8 s. */
  retryMs?: number;
}

interface Pending {
  method: HostMethod;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

const NORMAL_MS = 30_000;
/** Opening copies files or reads large ones; saving may wait for a slow disk. */
const SLOW_MS = 120_000;
const SLOW: ReadonlySet<HostMethod> = new Set<HostMethod>([
  "notebook.open",
  "notebook.open-example",
  "notebook.save",
  "notebook.reload",
  "runs.watch",
  "folders.list",
  "encoders.list",
  "encoders.find",
  "encoders.details",
  "encoders.download",
  "encoders.remove",
  "encoders.measure",
  "encoders.add-folder",
]);

export class HostClient {
  /** Names this page in `notebook.apply`, so that it knows its own changes when they come back. */
  readonly origin = `page-${Math.random().toString(36).slice(2, 10)}`;
  #connect: () => Promise<Port>;
  #port: Port | null = null;
  #nextId = 1;
  #pending = new Map<number, Pending>();
  #waiting: (() => void)[] = [];
  #events = new Map<HostEvent, Set<(payload: never) => void>>();
  #stateListeners = new Set<(state: ConnectionState) => void>();
  #state: ConnectionState = { state: "connecting" };
  #hello: HostResult<"app.hello"> | null = null;
  #retryTimer: ReturnType<typeof setTimeout> | null = null;
  #retryMs: number;
  #disposed = false;
  #attempt = 0;

  constructor(connect: () => Promise<Port>, options: ClientOptions = {}) {
    this.#connect = connect;
    this.#retryMs = options.retryMs ?? 500;
  }

  get state(): ConnectionState {
    return this.#state;
  }
  /** What the host said of itself; null before the first connection. */
  get hello(): HostResult<"app.hello"> | null {
    return this.#hello;
  }

  onState(listener: (state: ConnectionState) => void): () => void {
    this.#stateListeners.add(listener);
    return () => this.#stateListeners.delete(listener);
  }

  on<E extends HostEvent>(event: E, listener: (payload: HostEventPayload<E>) => void): () => void {
    const listeners = this.#events.get(event) ?? new Set();
    this.#events.set(event, listeners);
    listeners.add(listener as (payload: never) => void);
    return () => listeners.delete(listener as (payload: never) => void);
  }

  /** Connects, and connects again whenever the connection goes. */
  async start(): Promise<void> {
    if (this.#disposed) return;
    this.#setState({ state: "connecting" });
    try {
      const port = await this.#connect();
      this.#port = port;
      port.onMessage((message) => this.#receive(message));
      port.onClose((reason) => this.#lost(port, reason));
      this.#hello = await this.#request("app.hello", { version: HOST_PROTOCOL_VERSION }, { timeoutMs: NORMAL_MS });
      if (this.#hello.version !== HOST_PROTOCOL_VERSION)
        throw new ParallaxError(
          "host.version",
          `This page speaks protocol version ${HOST_PROTOCOL_VERSION}, the host speaks ${this.#hello.version}.`,
          { kind: "environment", hint: "Reload the page." },
        );
      this.#attempt = 0;
      this.#setState({ state: "open" });
      for (const go of this.#waiting.splice(0)) go();
    } catch (error) {
      this.#lost(this.#port, error instanceof Error ? error.message : String(error));
    }
  }

  /** Tries to connect at once instead of after the pause. */
  retryNow(): void {
    if (this.#state.state !== "lost") return;
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    this.#retryTimer = null;
    void this.start();
  }

  /**
   * Calls a method of the host. Waits while the first connection is being made; rejects at once when it is lost.
   * @throws ParallaxError the host's own error, or host.connection-lost, host.timeout; CancelledError after abort.
   */
  call<M extends HostMethod>(method: M, params: HostParams<M>, options: CallOptions = {}): Promise<HostResult<M>> {
    if (this.#state.state === "open") return this.#request(method, params, options);
    if (this.#state.state === "lost") return Promise.reject(lostError(method, this.#state.reason));
    return new Promise((resolve, reject) => {
      this.#waiting.push(() => {
        if (this.#state.state === "lost") reject(lostError(method, this.#state.reason));
        else this.#request(method, params, options).then(resolve, reject);
      });
    });
  }

  dispose(): void {
    this.#disposed = true;
    if (this.#retryTimer !== null) clearTimeout(this.#retryTimer);
    this.#port?.close();
  }

  #request<M extends HostMethod>(method: M, params: HostParams<M>, options: CallOptions): Promise<HostResult<M>> {
    const port = this.#port;
    if (port === null) return Promise.reject(lostError(method, "not connected"));
    if (options.signal?.aborted) return Promise.reject(new CancelledError(method));
    const id = this.#nextId++;
    const timeoutMs = options.timeoutMs ?? (SLOW.has(method) ? SLOW_MS : NORMAL_MS);
    return new Promise<HostResult<M>>((resolve, reject) => {
      const stop = (error: unknown) => {
        if (!this.#pending.has(id)) return;
        this.#port?.send({ cancel: id });
        settle();
        reject(error);
      };
      const onAbort = () => stop(new CancelledError(method));
      const timer =
        timeoutMs === 0
          ? null
          : setTimeout(
              () =>
                stop(
                  new ParallaxError("host.timeout", `The host did not answer ${method} within ${timeoutMs / 1000} s.`, {
                    kind: "environment",
                    hint: "Try again; the notebook keeps your edits.",
                  }),
                ),
              timeoutMs,
            );
      const settle = () => {
        this.#pending.delete(id);
        if (timer !== null) clearTimeout(timer);
        options.signal?.removeEventListener("abort", onAbort);
      };
      this.#pending.set(id, {
        method,
        resolve: (value) => {
          settle();
          resolve(value as HostResult<M>);
        },
        reject: (error) => {
          settle();
          reject(error);
        },
      });
      options.signal?.addEventListener("abort", onAbort);
      port.send({ id, method, params });
    });
  }

  #receive(message: unknown): void {
    const parsed = replySchema.safeParse(message);
    if (!parsed.success) {
      console.error("The host sent a message that the page does not understand.", message, parsed.error);
      return;
    }
    const reply = parsed.data;
    if ("event" in reply) {
      this.#emit(reply.event, reply.payload);
      return;
    }
    const pending = this.#pending.get(reply.id);
    if (!pending) return; // cancelled or timed out before the answer came
    if ("error" in reply) {
      pending.reject(fromErrorData(reply.error));
      return;
    }
    const result = hostMethods[pending.method].result.safeParse(reply.result);
    if (result.success) pending.resolve(result.data);
    else pending.reject(malformed(pending.method, result.error));
  }

  #emit(event: string, payload: unknown): void {
    if (!(event in hostEvents)) {
      console.warn(`The host sent an event that this page does not know: ${event}.`);
      return;
    }
    const name = event as HostEvent;
    const parsed = hostEvents[name].safeParse(payload);
    if (!parsed.success) {
      console.error(malformed(name, parsed.error));
      return;
    }
    for (const listener of this.#events.get(name) ?? []) listener(parsed.data as never);
  }

  #lost(port: Port | null, reason: string): void {
    if (this.#disposed || port !== this.#port || this.#retryTimer !== null) return;
    this.#port = null;
    port?.close();
    for (const pending of [...this.#pending.values()]) pending.reject(lostError(pending.method, reason));
    this.#attempt++;
    const retryInMs = Math.min(8000, this.#retryMs * 2 ** (this.#attempt - 1));
    this.#setState({ state: "lost", reason, attempt: this.#attempt, retryInMs });
    for (const go of this.#waiting.splice(0)) go();
    this.#retryTimer = setTimeout(() => {
      this.#retryTimer = null;
      void this.start();
    }, retryInMs);
  }

  #setState(state: ConnectionState): void {
    this.#state = state;
    for (const listener of this.#stateListeners) listener(state);
  }
}

function lostError(method: string, reason: string): ParallaxError {
  return new ParallaxError(
    "host.connection-lost",
    `${method} was not done: the connection to the host is lost (${reason}).`,
    {
      kind: "environment",
      hint: "The page connects again by itself; then try once more.",
    },
  );
}

function malformed(what: string, error: z.ZodError): ParallaxError {
  const issue = error.issues[0];
  return new ParallaxError(
    "host.malformed",
    `The host's answer to ${what} has an unexpected form at ${issue?.path.join(".") || "the top"}: ${issue?.message ?? "unknown"}.`,
    { kind: "bug", hint: "Reload the page; if it stays, copy the details into a report." },
  );
}
