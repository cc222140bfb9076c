/** One part of bench:corpus, in a process of its own. Prints JSON lines. */
import { ApproximateIndex } from "../../../kernels/corpus/approximate.ts";
import { Corpus } from "../../../kernels/corpus/corpus.ts";
import { exactNearest } from "../../../kernels/corpus/exact-nearest.ts";
import { writeCorpus } from "../../../kernels/corpus/write-corpus.ts";
import { normaliseRows } from "../../../kernels/encode/embedding-set.ts";
import { openEncoder } from "../../../kernels/encode/open-encoder.ts";
import { inThreadCompute } from "../../../kernels/graph/compute.ts";

const [what, ...args] = process.argv.slice(2);
const compute = inThreadCompute();
const say = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`);
const peakBytes = () => process.resourceUsage().maxRSS * 1024;

if (what === "encode") {
  const [file, reference, folder, dtype = "float32"] = args;
  const encoder = await openEncoder(reference, { compute });
  const started = performance.now();
  const { loss } = await writeCorpus({
    dtype: dtype === "int8" ? "int8" : "float32",
    file,
    column: "text",
    encoder,
    folder,
    onProgress: ({ stage, done }) => {
      if (stage === "Encoding the corpus") say({ rows: done });
    },
  });
  say({ seconds: (performance.now() - started) / 1000, peakBytes: peakBytes(), loss });
  await encoder.dispose();
} else {
  const [folder, way] = args;
  const corpus = Corpus.open(folder);
  const d = corpus.dimensions;
  const queries = new Float32Array(100 * d);
  for (let i = 0; i < 100; i++) {
    const row = Math.floor((i * corpus.n) / 100);
    queries.set(corpus.unitRows(row, row + 1), i * d);
  }
  if (way === "exact") {
    const started = performance.now();
    await exactNearest(corpus, queries, 10, compute);
    say({ seconds: (performance.now() - started) / 1000, peakBytes: peakBytes() });
  } else {
    const index = await ApproximateIndex.build(corpus, compute, {
      onProgress: ({ done }) => say({ rows: done }),
    });
    const started = performance.now();
    index.nearest(queries, 10);
    const seconds = (performance.now() - started) / 1000;
    const { buildSeconds, buildCpuSeconds, recall } = index.facts;
    const heldOut = await index.recall(await heldOutQueries(corpus), 0, compute);
    say({ seconds, peakBytes: peakBytes(), buildSeconds, buildCpuSeconds, recall, heldOut });
  }
  corpus.close();
}
await compute.dispose();

/** 200 questions that are not in the corpus: two of its texts' halves put together, at length 1. */
async function heldOutQueries(corpus: Corpus): Promise<Float32Array> {
  const half = (row: number, from: number) => {
    const words = corpus.text(row % corpus.n).split(" ");
    const middle = Math.ceil(words.length / 2);
    return (from === 0 ? words.slice(0, middle) : words.slice(middle)).join(" ");
  };
  const queries = Array.from({ length: 200 }, (_, i) => `${half(i * 4099 + 17, 0)} ${half(i * 7919 + 5, 1)}`);
  const encoder = await openEncoder("default-static", { compute });
  const { data } = await encoder.encode(queries, { cache: "skip" });
  await encoder.dispose();
  normaliseRows(data, corpus.dimensions);
  return data;
}
