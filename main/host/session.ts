/** One page at the other end of a port: its calls in, answers and events out. Every message is checked on arrival. */

import type { z } from "zod";
import { CancelledError, ParallaxError, toErrorData } from "../../kernels/protocol/errors.ts";
import {
  callSchema,
  type HostEvent,
  type HostEventPayload,
  type HostMethod,
  type HostResult,
  hostMethods,
  type Port,
} from "../../kernels/protocol/host-methods.ts";

export type ParsedParams<M extends HostMethod> = z.output<(typeof hostMethods)[M]["params"]>;

/** A method without a handler, or with another result, does not compile. */
export type Handlers = {
  [M in HostMethod]: (
    params: ParsedParams<M>,
    session: Session,
    signal: AbortSignal,
  ) => HostResult<M> | Promise<HostResult<M>>;
};

const INSTANT_MS = 2_000;
const NORMAL_MS = 30_000;
const INSTANT = new Set<HostMethod>([
  "app.hello",
  "notebook.apply",
  "cell.run",
  "kernel.interrupt",
  "job.cancel",
  "runs.unwatch",
]);
/** A slow disk, a large file or a busy kernel may take as long as it takes; the page can cancel. */
const LONG = new Set<HostMethod>([
  "notebook.open",
  "notebook.open-example",
  "notebook.save",
  "notebook.reload",
  "kernel.variables",
  "kernel.inspect",
  "kernel.analyse",
  "runs.list",
  "runs.resume",
  "runs.preview",
  "runs.plan",
  "runs.details",
  "runs.fork",
  "app.start-page",
  "folders.list",
  "folders.choose",
  "encoders.list",
  "encoders.details",
  "encoders.find",
  "encoders.download",
  "encoders.remove",
  "encoders.measure",
  "encoders.add-folder",
]);

export class Session {
  readonly docs = new Set<string>();
  /** Watched run folders, and how often. */
  readonly runs = new Map<string, number>();
  /** Ends the page's subscription to encoders; null when it has none. */
  encoders: (() => void) | null = null;
  readonly #port: Port;
  readonly #handlers: Handlers;
  readonly #calls = new Map<number, AbortController>();
  #greeted = false;

  constructor(port: Port, handlers: Handlers, onClose: (session: Session) => void) {
    this.#port = port;
    this.#handlers = handlers;
    port.onMessage((message) => this.#receive(message));
    port.onClose(() => {
      for (const call of this.#calls.values()) call.abort();
      onClose(this);
    });
  }

  emit<E extends HostEvent>(event: E, payload: HostEventPayload<E>): void {
    if (this.#greeted) this.#port.send({ event, payload });
  }

  close(): void {
    this.#port.close();
  }

  #receive(message: unknown): void {
    const parsed = callSchema.safeParse(message);
    if (!parsed.success) {
      const id = (message as { id?: unknown } | null)?.id;
      const error = new ParallaxError("host.bad-message", "The host got a message that it does not understand.", {
        kind: "bug",
        hint: "Reload the page.",
      });
      if (typeof id === "number" && Number.isInteger(id)) this.#port.send({ id, error: toErrorData(error) });
      return;
    }
    const call = parsed.data;
    if ("cancel" in call) this.#calls.get(call.cancel)?.abort();
    else void this.#answer(call.id, call.method, call.params);
  }

  async #answer(id: number, method: string, params: unknown): Promise<void> {
    const controller = new AbortController();
    this.#calls.set(id, controller);
    try {
      const result = await this.#within(method, controller, () => this.#call(method, params, controller.signal));
      this.#port.send({ id, result });
    } catch (error) {
      this.#port.send({ id, error: toErrorData(error) });
    } finally {
      this.#calls.delete(id);
    }
  }

  async #call(method: string, params: unknown, signal: AbortSignal): Promise<unknown> {
    if (!Object.hasOwn(hostMethods, method))
      throw new ParallaxError("host.unknown-method", `The host has no method ${JSON.stringify(method)}.`, {
        kind: "bug",
        hint: "Page and host are of different versions: reload the page.",
      });
    if (!this.#greeted && method !== "app.hello")
      throw new ParallaxError("host.hello-first", `The first message of a page is app.hello, not ${method}.`, {
        kind: "bug",
      });
    const name = method as HostMethod;
    const parsed = hostMethods[name].params.safeParse(params);
    if (!parsed.success) {
      const issue = parsed.error.issues[0];
      const where = issue === undefined || issue.path.length === 0 ? "its parameters" : issue.path.join(".");
      throw new ParallaxError(
        "host.bad-params",
        `${method} was called wrongly: ${where}: ${issue?.message ?? "not valid"}.`,
        {
          kind: "bug",
          details: { issues: parsed.error.issues },
        },
      );
    }
    // Nothing is said before the hello is answered.
    const handler = this.#handlers[name] as (params: unknown, session: Session, signal: AbortSignal) => unknown;
    const result = await handler(parsed.data, this, signal);
    if (name === "app.hello") this.#greeted = true;
    return result;
  }

  /** Ends the waiting, not the work: handlers that can stop look at the signal. */
  #within<T>(method: string, controller: AbortController, work: () => Promise<T>): Promise<T> {
    const name = method as HostMethod;
    const limitMs = LONG.has(name) ? null : INSTANT.has(name) ? INSTANT_MS : NORMAL_MS;
    return new Promise((resolve, reject) => {
      const timer =
        limitMs === null
          ? null
          : setTimeout(() => {
              const message = `${method} took longer than ${limitMs / 1000} s.`;
              reject(new ParallaxError("host.timeout", message, { kind: "environment", hint: "Try again." }));
              controller.abort();
            }, limitMs);
      controller.signal.addEventListener("abort", () => reject(new CancelledError(method)), { once: true });
      work()
        .then(resolve, reject)
        .finally(() => {
          if (timer !== null) clearTimeout(timer);
        });
    });
  }
}
