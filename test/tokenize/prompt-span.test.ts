import path from "node:path";
import { describe, expect, test } from "vitest";
import { packageRoot } from "../../kernels/graph/package-root.ts";
import { promptSpan } from "../../kernels/tokenize/prompt-span.ts";
import { loadTokenizer } from "../../kernels/tokenize/tokenizer.ts";
import { tinyTokenizerJson, tinyVocabulary } from "../support/tiny-bert.ts";

const vocabulary = tinyVocabulary();
const bert = loadTokenizer(tinyTokenizerJson(vocabulary));
const model = path.join(packageRoot(), "test/golden/tokenizers/unigram.model");
const t5 = loadTokenizer(model, { config: { tokenizer_class: "T5Tokenizer" } });

describe("promptSpan", () => {
  test("agrees by place and by count where the prompt ends with a space", () => {
    const span = promptSpan(bert, "query : ", "the dog", 64);
    // [CLS] query : | the dog [SEP]
    expect(span).toMatchObject({ byOffsets: 3, byCount: 3, boundary: null });
    const t5Span = promptSpan(t5, "Represent the question: ", "what is water?", 64);
    expect(t5Span.byOffsets).toBe(t5.encode("Represent the question: ").ids.length - 1);
    expect(t5Span).toMatchObject({ byCount: t5Span.byOffsets, boundary: null });
  });

  test("names the token at the boundary where prompt and text run together", () => {
    // "do" is a piece of the prompt alone; with the text it is "dog".
    expect(promptSpan(bert, "a do", "g", 64)).toMatchObject({
      byOffsets: 2,
      byCount: 3,
      boundary: { index: 2, piece: "dog", text: "dog" },
    });
  });

  test("counts nothing for an empty prompt and never past the end", () => {
    expect(promptSpan(bert, "", "the dog", 64)).toMatchObject({ byOffsets: 0, byCount: 0, boundary: null });
    expect(promptSpan(bert, "the dog and the cat ", "a house", 5)).toMatchObject({ byOffsets: 4, byCount: 4 });
  });

  test("keeps the final special token out of the prompt, so that it is pooled", () => {
    const { encoding, byCount } = promptSpan(t5, "Represent: ", "", 64);
    expect(encoding.ids.length - byCount).toBe(1);
  });
});
