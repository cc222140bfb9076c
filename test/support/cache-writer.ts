/** A process that fills a vector cache until it is killed: node cache-writer.mjs <folder> <seed>. */
import { VectorCache } from "../../kernels/encode/vector-cache.ts";

const [folder, seed] = [process.argv[2], Number(process.argv[3])];
const cache = VectorCache.open({ folder });
for (let round = 0; ; round++) {
  const rows = Array.from({ length: 50 }, (_, i) => ({ ids: [seed, round, i], skip: 0 }));
  // Every number of a vector says which one it is, so that a torn one would be seen.
  const vectors = Float32Array.from({ length: 50 * 64 }, (_, k) => seed * 1e6 + round * 50 + Math.floor(k / 64));
  await cache.store("writer", rows, vectors, 64);
  if (round === 20) process.stdout.write("running\n");
}
