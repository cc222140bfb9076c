/** What is known of the loss of a precision or a form of vectors: said before it is used, measured, never promised. */
import { z } from "zod";
import { JsonMemory } from "../files/json-memory.ts";
import { DEFAULT_WEIGHTS_SHA256 } from "./default-encoder.ts";

const schema = z.object({
  version: z.literal(1),
  weightsSha256: z.string(),
  task: z.string(),
  metric: z.string(),
  n: z.number(),
  unit: z.string(),
  seed: z.number(),
  /** Against float32, with the paired 95 % interval, by the name of the line: "int8", "binary vectors". */
  losses: z.record(z.string(), z.tuple([z.number(), z.number(), z.number()])),
});
export type PrecisionLosses = z.infer<typeof schema>;
const memory = new JsonMemory("precision-losses", schema);

/** all-MiniLM-L6-v2, as docs/precision.md says with the command. */
const PUBLISHED: readonly PrecisionLosses[] = [
  {
    version: 1,
    weightsSha256: DEFAULT_WEIGHTS_SHA256,
    task: "scifact",
    metric: "ndcg_at_10",
    n: 300,
    unit: "queries",
    seed: 0,
    losses: {
      float16: [0, 0, 0],
      int8: [0.0002, -0.0079, 0.0082],
      "int8-weights": [-0.0001, -0.003, 0.0029],
      "int8-blocks": [0.0004, -0.0014, 0.0029],
      "int4-blocks": [-0.005, -0.0178, 0.0081],
      "int8 vectors": [-0.0006, -0.0018, 0],
      "int8 vectors, fixed ranges": [0.0023, -0.0004, 0.0061],
      "binary vectors": [-0.0577, -0.0819, -0.0344],
    },
  },
];

/** Keep what was measured on this computer; later measurements on the same task add to it. */
export function rememberLosses(found: PrecisionLosses): void {
  const key = `${found.weightsSha256} ${found.task} ${found.n} ${found.seed}`;
  memory.set(key, { ...found, losses: { ...memory.get(key)?.losses, ...found.losses } });
}

/** Own measurements first, then published ones of other tasks. */
export function knownLosses(weightsSha256: string, name: string): PrecisionLosses[] {
  const own = memory.all().filter((found) => found.weightsSha256 === weightsSha256);
  const tasks = new Set(own.map(({ task }) => task));
  const published = PUBLISHED.filter((found) => found.weightsSha256 === weightsSha256 && !tasks.has(found.task));
  return [...own, ...published].filter(({ losses }) => Object.hasOwn(losses, name));
}

const METRICS: Record<string, string> = { ndcg_at_10: "nDCG@10", cosine_spearman: "Spearman" };
const signed = (x: number): string => `${x < 0 ? "−" : "+"}${Math.abs(100 * x).toFixed(2)}`;

/** "int8 of all-MiniLM-L6-v2 against float32: nDCG@10 ×100 +0.02 (95 % −0.79 to +0.82) on scifact, n = 300 queries, seed 0." */
export function lossSentence(encoder: { name: string; weightsSha256: string }, name: string): string {
  const known = knownLosses(encoder.weightsSha256, name);
  const what = `${name} of ${encoder.name} against float32`;
  if (known.length === 0)
    return `${what}: the loss was not measured. comparePrecisions(task), or parallax precision, measures it on your task.`;
  const words = known.map(({ metric, losses, task, n, unit, seed }) => {
    const [delta, low, high] = losses[name];
    return `${METRICS[metric] ?? metric} ×100 ${signed(delta)} (95 % ${signed(low)} to ${signed(high)}) on ${task}, n = ${n.toLocaleString("en-US")} ${unit}, seed ${seed}`;
  });
  return `${what}: ${words.join("; ")}.`;
}
