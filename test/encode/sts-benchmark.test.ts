/** The embedded encoder on real data. Skipped where the data is not there: it is not ours to ship. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { openEncoder } from "../../kernels/encode/open-encoder.ts";
import { inThreadCompute } from "../../kernels/graph/compute.ts";
import { packageRoot } from "../../kernels/graph/package-root.ts";

const data = process.env.PARALLAX_DATA ?? path.join(packageRoot(), "..", "shared", "data");
const file = path.join(data, "eval", "sts", "stsbenchmark-test.tsv");
const home = mkdtempSync(path.join(tmpdir(), "parallax-sts-"));
process.env.PARALLAX_HOME = home;
const compute = inThreadCompute();
afterAll(async () => {
  await compute.dispose();
  rmSync(home, { recursive: true, force: true });
});

/** Average ranks, ties shared. */
function ranks(values: readonly number[]): number[] {
  const order = values.map((_, i) => i).sort((a, b) => values[a]! - values[b]!);
  const result = new Array<number>(values.length);
  for (let i = 0; i < order.length; ) {
    let j = i;
    while (j < order.length && values[order[j]!] === values[order[i]!]) j++;
    for (let k = i; k < j; k++) result[order[k]!] = (i + j - 1) / 2;
    i = j;
  }
  return result;
}

function pearson(a: readonly number[], b: readonly number[]): number {
  const mean = (x: readonly number[]) => x.reduce((sum, value) => sum + value, 0) / x.length;
  const [ma, mb] = [mean(a), mean(b)];
  let [ab, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    ab += (a[i]! - ma) * (b[i]! - mb);
    aa += (a[i]! - ma) ** 2;
    bb += (b[i]! - mb) ** 2;
  }
  return ab / Math.sqrt(aa * bb);
}

describe.skipIf(!existsSync(file))(`STS Benchmark test (${file})`, () => {
  const [head, ...lines] = existsSync(file) ? readFileSync(file, "utf8").trimEnd().split("\n") : [""];
  const columns = head!.split("\t");
  const rows = lines.map((line) => line.split("\t"));
  const column = (name: string) => rows.map((row) => row[columns.indexOf(name)]!);

  /** Cosine Spearman × 100. */
  async function score(reference: string): Promise<number> {
    const encoder = await openEncoder(reference, { compute });
    const [a, b] = [await encoder.encode(column("sentence1")), await encoder.encode(column("sentence2"))];
    await encoder.dispose();
    const cosines = Array.from({ length: a.n }, (_, i) =>
      a.row(i).reduce((sum, value, k) => sum + value * b.row(i)[k]!, 0),
    );
    return 100 * pearson(ranks(cosines), ranks(column("score").map(Number)));
  }

  test("the default encoder scores 82.03, as published", async () => {
    const found = await score("default");
    console.log(`default: cosine Spearman × 100 = ${found.toFixed(3)} (n = ${rows.length})`);
    expect(Math.abs(found - 82.03)).toBeLessThanOrEqual(0.05);
  }, 120_000);

  test("its weights at 8 bits score 82.0", async () => {
    const found = await score("default-int8");
    console.log(`default-int8: cosine Spearman × 100 = ${found.toFixed(3)} (n = ${rows.length})`);
    expect(Math.abs(found - 82.0)).toBeLessThanOrEqual(0.3);
  }, 120_000);

  test("its word pieces averaged score 50.9", async () => {
    const found = await score("default-static");
    console.log(`default-static: cosine Spearman × 100 = ${found.toFixed(3)} (n = ${rows.length})`);
    expect(Math.abs(found - 50.9)).toBeLessThanOrEqual(0.3);
  });
});
