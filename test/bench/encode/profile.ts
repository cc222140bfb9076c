/** Where the time of an encoder's graph goes, operator by operator: ONNX Runtime's own profile of the batches it really gets. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { fillBatches } from "../../../kernels/encode/batch-plan.ts";
import { padBatch } from "../../../kernels/encode/encode-rows.ts";
import type { Encoder } from "../../../kernels/encode/encoder.ts";
import { modelWeights } from "../../../kernels/encode/model-weights.ts";
import { openSafetensors } from "../../../kernels/encode/safetensors.ts";
import { inThreadCompute } from "../../../kernels/graph/compute.ts";
import { forCpu, type Precision, toPrecision } from "../../../kernels/graph/precision.ts";
import { tensor } from "../../../kernels/graph/tensor.ts";
import { buildEncoderGraph } from "../../../kernels/model/encoder-graph.ts";

export interface Profile {
  /** Share of the operators' time, largest first, and how often each ran. */
  operators: { op: string; share: number; runs: number }[];
  /** Share of the runs' time that no operator accounts for: waiting, starting, memory. */
  between: number;
  /** Padded tokens the plan made of `tokens`. */
  padded: number;
  tokens: number;
  batches: number;
}

interface Event {
  cat: string;
  name: string;
  dur: number;
  args?: { op_name?: string };
}

/** Runs the batches of `texts` in a session of its own, which a profile slows down by a few per cent. */
export async function profileEncoder(
  encoder: Encoder,
  texts: string[],
  precision: Precision,
  threads: number,
): Promise<Profile> {
  const { spec, tokenizer } = encoder;
  const model = spec.model!;
  const graph = buildEncoderGraph(model, modelWeights(openSafetensors(spec.weights.file), model), {
    pooling: spec.pooling!,
    normalise: spec.normalise,
    dense: [],
    poolingMask: false,
    weightsAs: "initializers",
  });
  const rows = texts
    .map((text, index) => ({ index, ids: tokenizer.encode(text, spec.maxTokens).ids, skip: 0 }))
    .sort((a, b) => b.ids.length - a.ids.length);
  const batches = fillBatches(rows, encoder.batchTokens);
  const folder = mkdtempSync(path.join(tmpdir(), "parallax-profile-"));
  const compute = inThreadCompute();
  try {
    const profile = path.join(folder, "run");
    const session = await compute.createSession({ graph: toPrecision(forCpu(graph), precision) }, { threads, profile });
    for (const batch of batches) {
      const { ids, mask, b, t } = padBatch(batch, tokenizer.padId ?? 0, false);
      await session.run({ input_ids: tensor("int64", [b, t], ids), attention_mask: tensor("int64", [b, t], mask) });
    }
    // The file is written when the session ends.
    await compute.dispose();
    const [file] = readdirSync(folder);
    const events = JSON.parse(readFileSync(path.join(folder, file), "utf8")) as Event[];
    return {
      ...summarise(events),
      batches: batches.length,
      padded: batches.reduce((sum, batch) => sum + batch.length * batch[0].ids.length, 0),
      tokens: rows.reduce((sum, row) => sum + row.ids.length, 0),
    };
  } finally {
    await compute.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
}

function summarise(events: Event[]): Pick<Profile, "operators" | "between"> {
  const byOp = new Map<string, { us: number; runs: number }>();
  let whole = 0;
  let inside = 0;
  for (const { cat, name, dur, args } of events) {
    if (name === "model_run") whole += dur;
    // A branch's time is that of the operators in it.
    if (cat !== "Node" || !name.endsWith("_kernel_time") || !args?.op_name || args.op_name === "If") continue;
    const entry = byOp.get(args.op_name) ?? { us: 0, runs: 0 };
    entry.us += dur;
    entry.runs++;
    byOp.set(args.op_name, entry);
    inside += dur;
  }
  return {
    operators: [...byOp]
      .map(([op, { us, runs }]) => ({ op, share: us / inside, runs }))
      .sort((a, b) => b.share - a.share),
    between: whole > 0 ? Math.max(0, 1 - inside / whole) : 0,
  };
}
