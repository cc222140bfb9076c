/** Ids of the original tokenizers on odd texts. Skipped where the data is not there: it is not ours to ship. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { defaultModelFolder } from "../../kernels/encode/default-encoder.ts";
import { packageRoot } from "../../kernels/graph/package-root.ts";
import { loadTokenizer } from "../../kernels/tokenize/tokenizer.ts";

interface Golden {
  family: string;
  model: string;
  text: string;
  text_pair?: string;
  ids: number[];
}

const data = process.env.PARALLAX_DATA ?? path.join(packageRoot(), "..", "shared", "data");
const file = path.join(data, "tokenizers", "golden.json");

describe.skipIf(!existsSync(file))(`original ids (${file})`, () => {
  test("the default tokenizer gives those of bert-base-uncased, whose vocabulary it has", () => {
    const all = JSON.parse(readFileSync(file, "utf8")) as Golden[];
    const rows = all.filter((row) => row.model === "Xenova/bert-base-uncased" && row.text_pair === undefined);
    expect(rows.length).toBeGreaterThan(20);
    const tokenizer = loadTokenizer(defaultModelFolder());
    expect(rows.map(({ text }) => ({ text, ids: tokenizer.encode(text).ids }))).toEqual(
      rows.map(({ text, ids }) => ({ text, ids })),
    );
  });
});
