/**
 * The process behind the Encoders screen: forked by the host with an IPC channel, it lists, downloads and measures, so
 * that neither page nor host computes. It ends when the host lets go of it; downloads keep their parts.
 */
import { EncoderService } from "./encoders/service.ts";
import { defaultCompute } from "./graph/compute.ts";
import { type EncoderMethod, encoderCallSchema, encoderMethods } from "./protocol/encoders.ts";
import { ParallaxError, toErrorData } from "./protocol/errors.ts";

const service = new EncoderService((event, payload) => send({ event, payload }));
const calls = new Map<number, AbortController>();
/** The host's configuration comes first, so that the first download has its token. */
const READY_MS = 2000;
let configured: () => void = () => undefined;
const isConfigured = new Promise<void>((resolve) => {
  configured = resolve;
  setTimeout(resolve, READY_MS).unref();
});

// The terminal sends Ctrl+C to the whole group; the host decides and lets go of us.
process.on("SIGINT", () => undefined);
process.on("disconnect", () => void end());
process.on("message", (message: unknown) => {
  const parsed = encoderCallSchema.safeParse(message);
  if (!parsed.success) return;
  const call = parsed.data;
  if ("configure" in call) {
    service.configure(call.configure);
    configured();
  } else if ("cancel" in call) calls.get(call.cancel)?.abort();
  else void answer(call.id, call.method, call.params);
});

async function answer(id: number, method: string, params: unknown): Promise<void> {
  const controller = new AbortController();
  calls.set(id, controller);
  try {
    await isConfigured;
    if (!Object.hasOwn(encoderMethods, method))
      throw new ParallaxError("encoders.unknown-method", `There is no method ${JSON.stringify(method)}.`, {
        kind: "bug",
      });
    const name = method as EncoderMethod;
    const parsed = encoderMethods[name].params.parse(params);
    send({ id, result: await service.call(name, parsed as never, controller.signal) });
  } catch (error) {
    send({ id, error: toErrorData(error) });
  } finally {
    calls.delete(id);
  }
}

async function end(): Promise<void> {
  // A part that cannot be left in order is one that was cut off, which is in order, too.
  setTimeout(() => process.exit(0), 1500).unref();
  await service.dispose();
  await defaultCompute().dispose();
  process.exit(0);
}

function send(message: unknown): void {
  if (process.send !== undefined && process.connected) process.send(message, () => undefined);
}
