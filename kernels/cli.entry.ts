/**
 * The computing process of one command. It is forked with an IPC channel, receives one request, sends progress and one
 * answer, and ends. `{type: "cancel"}` stops the work between two steps.
 */
import { setDefaultContext } from "./api/context.ts";
import type { Answer } from "./cli/answer.ts";
import { cache } from "./cli/cache.ts";
import type { CommandContext } from "./cli/context.ts";
import { corpusEncode, corpusNearest } from "./cli/corpus.ts";
import { doctor } from "./cli/doctor.ts";
import { encode } from "./cli/encode.ts";
import { encoders } from "./cli/encoders.ts";
import { compare, evaluate } from "./cli/evaluate.ts";
import { gpu } from "./cli/gpu.ts";
import { map } from "./cli/map.ts";
import { filter, leaks, mine } from "./cli/mining.ts";
import { precision } from "./cli/precision.ts";
import { resume, runs, sweep, train } from "./cli/train.ts";
import { enableVectorCache } from "./encode/vector-cache.ts";
import { defaultCompute } from "./graph/compute.ts";
import { type CliReply, type CliRequest, cliRequestSchema } from "./protocol/cli-messages.ts";
import { MIME } from "./protocol/display.ts";
import { toErrorData } from "./protocol/errors.ts";
import type { Progress } from "./protocol/progress.ts";

const controller = new AbortController();
// The terminal sends Ctrl+C to the whole group; the command line decides and tells us.
process.on("SIGINT", () => undefined);

process.on("message", (message: unknown) => {
  if (typeof message === "object" && message !== null && (message as { type?: unknown }).type === "cancel")
    controller.abort();
  else void answer(message);
});
// The command line is gone: nobody reads an answer any more.
process.on("disconnect", () => process.exit(1));

async function answer(message: unknown): Promise<void> {
  let reply: CliReply;
  try {
    reply = { type: "result", ...(await run(cliRequestSchema.parse(message))) };
  } catch (error) {
    reply = { type: "error", error: toErrorData(error) };
  }
  await send(reply);
  await defaultCompute().dispose();
  process.disconnect?.();
  process.exit(0);
}

function run(request: CliRequest): Promise<Answer> | Answer {
  const progress = throttled();
  const context: CommandContext = {
    work: { signal: controller.signal, onProgress: progress },
    note: (text) => void send({ type: "note", text }),
  };
  setDefaultContext({
    signal: controller.signal,
    workingFolder: process.cwd(),
    progress: (_job, update) => {
      if (!("finished" in update)) progress(update);
    },
    // Sentences that a cell would show, the loss of a precision among them.
    display: (bundle) => {
      const { [MIME.plain]: text, ...rest } = bundle;
      if (typeof text === "string" && Object.keys(rest).length === 0) context.note(text);
    },
    pending: () => undefined,
    clear: () => undefined,
    runStarted: (folder) => context.note(`run folder: ${folder}`),
  });
  const problem = enableVectorCache();
  if (problem !== null && request.command !== "cache") context.note(problem);
  switch (request.command) {
    case "encode":
      return encode(request, context);
    case "eval":
      return evaluate(request, context);
    case "compare":
      return compare(request, context);
    case "precision":
      return precision(request, context);
    case "map":
      return map(request, context);
    case "train":
      return train(request, context);
    case "sweep":
      return sweep(request, context);
    case "mine":
      return mine(request);
    case "filter":
      return filter(request);
    case "leaks":
      return leaks(request, context);
    case "resume":
      return resume(request, context);
    case "runs":
      return runs(request);
    case "corpus-encode":
      return corpusEncode(request);
    case "corpus-nearest":
      return corpusNearest(request);
    case "cache":
      return cache(request);
    case "doctor":
      return doctor();
    case "gpu":
      return gpu(request, context);
    case "encoders":
      return encoders(request, context);
    default:
      return request satisfies never;
  }
}

/** At most ten lines a second; the last of a stage always goes out. */
function throttled(): (progress: Progress) => void {
  let sentAt = 0;
  return (progress) => {
    const now = performance.now();
    if (now - sentAt < 100 && progress.done < progress.total) return;
    sentAt = now;
    void send({ type: "progress", ...progress });
  };
}

function send(reply: CliReply): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined || !process.connected) resolve();
    else process.send(reply, undefined, {}, () => resolve());
  });
}
