/** A process for one self-test of a provider: receives a task, answers once, ends. */
import { compareOn } from "./encode/open-encoder.ts";
import type {
  ProviderCheckReply,
  ProviderCheckTask,
  ProviderProbe,
  ProviderProbeTask,
} from "./encode/provider-check-child.ts";
import { GraphBuilder } from "./graph/builder.ts";
import { inThreadCompute, type ProviderName } from "./graph/compute.ts";
import { tensor } from "./graph/tensor.ts";
import { toErrorData } from "./protocol/errors.ts";

process.on("message", (task: ProviderCheckTask | ProviderProbeTask) => void answer(task));
// Whoever asked is gone.
process.on("disconnect", () => process.exit(1));

async function answer(task: ProviderCheckTask | ProviderProbeTask): Promise<void> {
  let reply: ProviderCheckReply;
  try {
    if ("probe" in task) reply = { result: await probe(task.probe) };
    else {
      const { spec, provider, options, texts } = task;
      reply = { result: await compareOn(spec, provider, { ...options, compute: inThreadCompute() }, texts) };
    }
  } catch (error) {
    reply = { error: toErrorData(error) };
  }
  // The asking side ends this process: a driver's own cleaning up may abort.
  process.send?.(reply);
}

async function probe(provider: ProviderName): Promise<ProviderProbe> {
  const started = performance.now();
  const b = new GraphBuilder("probe");
  b.output(b.mul(b.relu(b.input("x", "float32", ["n", 4])), 2), "y");
  const session = await inThreadCompute().createSession({ graph: b.build() }, { provider, recordPlacement: true });
  await session.run({ x: tensor("float32", [1, 4], Float32Array.of(1, 2, 3, 4)) });
  await session.placement();
  return { ms: performance.now() - started };
}
