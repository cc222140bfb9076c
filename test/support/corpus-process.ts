/** A process that encodes a corpus: node corpus-process.mjs <table> <model folder> <corpus folder>. Prints rows as they are kept. */
import { writeCorpus } from "../../kernels/corpus/write-corpus.ts";
import { openEncoder } from "../../kernels/encode/open-encoder.ts";
import { inThreadCompute } from "../../kernels/graph/compute.ts";

const [file, model, folder] = process.argv.slice(2);
const compute = inThreadCompute();
const encoder = await openEncoder(model, { compute, threads: 1 });
await writeCorpus({
  file,
  column: "text",
  encoder,
  folder,
  onProgress: ({ done }) => process.stdout.write(`${done}\n`),
});
await encoder.dispose();
await compute.dispose();
