/** A process for one self-test of a provider: receives a task, answers once, ends. */

import { compareOn } from "./encode/open-encoder.ts";
import type { ProviderCheckReply, ProviderCheckTask } from "./encode/provider-check-child.ts";
import { inThreadCompute } from "./graph/compute.ts";
import { toErrorData } from "./protocol/errors.ts";

process.on("message", (task: ProviderCheckTask) => void answer(task));
// Whoever asked is gone.
process.on("disconnect", () => process.exit(1));

async function answer({ spec, provider, options, texts }: ProviderCheckTask): Promise<void> {
  let reply: ProviderCheckReply;
  try {
    reply = { result: await compareOn(spec, provider, { ...options, compute: inThreadCompute() }, texts) };
  } catch (error) {
    reply = { error: toErrorData(error) };
  }
  // The asking side ends this process: a driver's own cleaning up may abort.
  process.send?.(reply);
}
