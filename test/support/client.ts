/** A page without a page: the real WebSocket (or any Port), typed calls, events kept in order. */
import WebSocket from "ws";
import { fromErrorData } from "../../kernels/protocol/errors.ts";
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
import type { Notebook, NotebookOp } from "../../notebooks/format/model.ts";
import { applyOps } from "../../notebooks/format/ops.ts";

export interface SeenEvent<E extends HostEvent = HostEvent> {
  event: E;
  payload: HostEventPayload<E>;
}

export class TestClient {
  readonly origin = `test-${Math.random().toString(36).slice(2, 8)}`;
  readonly events: SeenEvent[] = [];
  readonly #port: Port;
  readonly #pending = new Map<
    number,
    { method: HostMethod; resolve(value: unknown): void; reject(error: unknown): void }
  >();
  readonly #waiters = new Set<() => void>();
  #id = 0;
  closed: string | null = null;

  constructor(port: Port) {
    this.#port = port;
    port.onMessage((message) => this.#receive(message));
    port.onClose((reason) => {
      this.closed = reason;
      for (const { method, reject } of this.#pending.values())
        reject(new Error(`${method}: connection closed: ${reason}`));
      this.#pending.clear();
      for (const waiter of this.#waiters) waiter();
    });
  }

  /** Connected and greeted. */
  static async connect(url: string): Promise<TestClient> {
    const client = new TestClient(await socketPort(url));
    await client.call("app.hello", { version: HOST_PROTOCOL_VERSION });
    return client;
  }

  call<M extends HostMethod>(method: M, params: HostParams<M>): Promise<HostResult<M>> & { id: number } {
    const id = ++this.#id;
    const answer = new Promise<HostResult<M>>((resolve, reject) => {
      this.#pending.set(id, { method, resolve: resolve as (value: unknown) => void, reject });
      this.#port.send({ id, method, params });
    });
    return Object.assign(answer, { id });
  }

  cancel(id: number): void {
    this.#port.send({ cancel: id });
  }
  /** For messages that no page would send. */
  raw(message: unknown): void {
    this.#port.send(message);
  }

  /** The payload of the first event (from now or already seen, after index `from`) that fits. */
  async event<E extends HostEvent>(
    event: E,
    fits: (payload: HostEventPayload<E>) => boolean = () => true,
    { from = 0, timeoutMs = 15_000 }: { from?: number; timeoutMs?: number } = {},
  ): Promise<HostEventPayload<E>> {
    let at = from;
    const look = () => {
      for (; at < this.events.length; at++) {
        const seen = this.events[at] as SeenEvent<E>;
        if (seen.event === event && fits(seen.payload)) return seen.payload;
      }
      return undefined;
    };
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      if (this.closed !== null || Date.now() > deadline)
        throw new Error(
          `no ${event} that fits within ${timeoutMs} ms; seen: ${this.events
            .slice(from)
            .map((e) => JSON.stringify(e).slice(0, 300))
            .join("\n")}`,
        );
      await new Promise<void>((resolve) => {
        const done = () => {
          clearTimeout(timer);
          this.#waiters.delete(done);
          resolve();
        };
        const timer = setTimeout(done, Math.max(1, deadline - Date.now()));
        this.#waiters.add(done);
      });
    }
  }

  /** The notebook as this page would hold it: what was opened, and every change since, its own included. */
  shown(start: Notebook, docId: string): Notebook {
    const ops = this.events.flatMap((seen) =>
      seen.event === "notebook.changed" && (seen as SeenEvent<"notebook.changed">).payload.docId === docId
        ? ((seen as SeenEvent<"notebook.changed">).payload.ops as unknown as NotebookOp[])
        : [],
    );
    return applyOps(start, ops);
  }

  close(): void {
    this.#port.close();
  }

  #receive(message: unknown): void {
    const reply = replySchema.parse(message);
    if ("event" in reply) {
      const payload = hostEvents[reply.event as HostEvent].parse(reply.payload);
      this.events.push({ event: reply.event as HostEvent, payload } as SeenEvent);
      for (const waiter of [...this.#waiters]) waiter();
      return;
    }
    const pending = this.#pending.get(reply.id);
    if (pending === undefined) return;
    this.#pending.delete(reply.id);
    if ("error" in reply) pending.reject(fromErrorData(reply.error));
    else pending.resolve(hostMethods[pending.method].result.parse(reply.result));
  }
}

/** @param url as `parallax serve` prints it */
export function socketPort(url: string, headers: Record<string, string> = {}): Promise<Port> {
  const address = new URL("/socket", url);
  address.search = new URL(url).search;
  address.protocol = "ws:";
  const socket = new WebSocket(address, { headers });
  return new Promise((resolve, reject) => {
    socket.once("error", reject);
    socket.once("open", () => {
      resolve({
        send: (message) => socket.send(JSON.stringify(message)),
        onMessage: (listener) => {
          const onData = (data: WebSocket.RawData) => listener(JSON.parse(data.toString()));
          socket.on("message", onData);
          return () => socket.off("message", onData);
        },
        onClose: (listener) => {
          const onClose = (code: number, reason: Buffer) => listener(`${code} ${reason.toString()}`);
          socket.on("close", onClose);
          return () => socket.off("close", onClose);
        },
        close: () => socket.close(),
      });
    });
  });
}

/** Two ends of one port, for tests that need no socket. Messages are cloned, as every carrier does. */
export function portPair(): [Port, Port] {
  const sides = [0, 1].map(() => ({
    messages: new Set<(m: unknown) => void>(),
    closes: new Set<(r: string) => void>(),
  }));
  const make = (own: number): Port => {
    const [mine, other] = [sides[own]!, sides[1 - own]!];
    return {
      send: (message) => {
        const copy = structuredClone(message);
        setImmediate(() => {
          for (const listener of other.messages) listener(copy);
        });
      },
      onMessage: (listener) => {
        mine.messages.add(listener);
        return () => mine.messages.delete(listener);
      },
      onClose: (listener) => {
        mine.closes.add(listener);
        return () => mine.closes.delete(listener);
      },
      close: () => {
        for (const side of sides) for (const listener of side.closes) listener("closed");
      },
    };
  };
  return [make(0), make(1)];
}
