/**
 * The compute thread: it owns every session of its process and answers one request after the other. It ends itself:
 * a thread that is ended from outside while ONNX Runtime works takes the whole process with it.
 */
import { parentPort, workerData } from "node:worker_threads";
import { invariant, ParallaxError, toErrorData } from "../protocol/errors.ts";
import {
  BUSY,
  type ComputeAnswer,
  type ComputeCall,
  type ComputeRequest,
  type ComputeThreadData,
  type CreatedSession,
  type PlacementAnswer,
  STOPPING,
} from "./compute-messages.ts";
import type { GraphSession } from "./compute-types.ts";
import { createSession, runtimeReport, sessionCounts } from "./session.ts";
import type { Tensor } from "./tensor.ts";

const port = parentPort;
invariant(port, "the compute thread was started as a process");
const { state } = workerData as ComputeThreadData;
const sessions = new Map<number, GraphSession>();
let next = 1;
let queue: Promise<void> = Promise.resolve();

function sessionOf(id: number): GraphSession {
  const session = sessions.get(id);
  if (!session)
    throw new ParallaxError("session.disposed", "This session was disposed and cannot run any more.", {
      kind: "bug",
      hint: "Create a new session.",
    });
  return session;
}

async function answer(request: ComputeRequest): Promise<unknown> {
  switch (request.method) {
    case "create": {
      const session = await createSession(request.source, request.options);
      const id = next++;
      sessions.set(id, session);
      const { report, inputs, outputs } = session;
      return { session: id, report, inputs, outputs } satisfies CreatedSession;
    }
    case "run": {
      const results = await sessionOf(request.session).run(
        request.feeds,
        request.outputs ? { outputs: request.outputs } : {},
      );
      // ONNX Runtime's own memory must not outlive this thread: what leaves it is a copy, which is then handed over.
      return Object.fromEntries(
        Object.entries(results).map(([name, value]) => [name, { ...value, data: value.data.slice() }]),
      );
    }
    case "placement": {
      const session = sessionOf(request.session);
      const placement = await session.placement();
      return { placement, report: session.report } satisfies PlacementAnswer;
    }
    case "dispose": {
      const session = sessions.get(request.session);
      sessions.delete(request.session);
      await session?.dispose();
      return null;
    }
    case "counts":
      return sessionCounts();
    case "collect":
      (globalThis as { gc?: () => void }).gc?.();
      return null;
    case "runtime":
      return await runtimeReport();
    case "stop":
      for (const session of sessions.values()) await session.dispose();
      sessions.clear();
      return null;
  }
}

/** Marks the time in which the thread must not be ended; starts nothing once the owner has said stop. */
async function guarded(request: ComputeRequest): Promise<unknown> {
  Atomics.store(state, BUSY, 1);
  try {
    if (Atomics.load(state, STOPPING) === 1 && request.method !== "stop")
      throw new ParallaxError("compute.terminated", "The compute thread was stopped.", { kind: "cancelled" });
    return await answer(request);
  } finally {
    Atomics.store(state, BUSY, 0);
    Atomics.notify(state, BUSY);
  }
}

/** Buffers that can be handed over instead of copied: each once, and only when a tensor owns all of it. */
function transferable(result: unknown): ArrayBuffer[] {
  const buffers = new Set<ArrayBuffer>();
  for (const value of Object.values(result ?? {}) as Partial<Tensor>[]) {
    const buffer = ArrayBuffer.isView(value?.data) ? value.data.buffer : undefined;
    if (buffer instanceof ArrayBuffer && value.data?.byteLength === buffer.byteLength) buffers.add(buffer);
  }
  return [...buffers];
}

port.on("message", ({ id, request }: ComputeCall) => {
  queue = queue.then(async () => {
    let reply: ComputeAnswer;
    try {
      reply = { id, result: await guarded(request) };
    } catch (error) {
      reply = { id, error: toErrorData(error) };
    }
    port.postMessage(reply, "result" in reply && request.method === "run" ? transferable(reply.result) : []);
    if (request.method === "stop") port.close();
  });
});
