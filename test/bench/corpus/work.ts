/** One part of bench:corpus, in a process of its own. Prints JSON lines. */
import { ApproximateIndex } from "../../../kernels/corpus/approximate.ts";
import { Corpus } from "../../../kernels/corpus/corpus.ts";
import { exactNearest } from "../../../kernels/corpus/exact-nearest.ts";
import { writeCorpus } from "../../../kernels/corpus/write-corpus.ts";
import { openEncoder } from "../../../kernels/encode/open-encoder.ts";
import { inThreadCompute } from "../../../kernels/graph/compute.ts";

const [what, ...args] = process.argv.slice(2);
const compute = inThreadCompute();
const say = (value: object) => process.stdout.write(`${JSON.stringify(value)}\n`);
const peakBytes = () => process.resourceUsage().maxRSS * 1024;

if (what === "encode") {
  const [file, reference, folder] = args;
  const encoder = await openEncoder(reference, { compute });
  const started = performance.now();
  await writeCorpus({
    file,
    column: "text",
    encoder,
    folder,
    onProgress: ({ stage, done }) => {
      if (stage === "Encoding the corpus") say({ rows: done });
    },
  });
  say({ seconds: (performance.now() - started) / 1000, peakBytes: peakBytes() });
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
      onProgress: ({ stage, done, total }) => {
        if (done % 102_400 === 0) process.stderr.write(`${stage}: ${done} of ${total}\n`);
      },
    });
    const started = performance.now();
    index.nearest(queries, 10);
    const seconds = (performance.now() - started) / 1000;
    say({ seconds, peakBytes: peakBytes(), buildSeconds: index.facts.buildSeconds, recall: index.facts.recall });
  }
  corpus.close();
}
await compute.dispose();
