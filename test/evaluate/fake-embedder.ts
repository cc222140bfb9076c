import type { Embedder, EmbeddingSetLike } from "../../kernels/evaluate/embedder.ts";
import type { WorkContext } from "../../kernels/protocol/progress.ts";
import type { EncodeReport, EncoderIdentity } from "../../kernels/protocol/results.ts";

const identity: EncoderIdentity = {
  reference: "fake",
  name: "letters",
  architecture: "letters",
  dimensions: 32,
  maxTokens: 64,
  pooling: "static",
  normalised: false,
  weightsSha256: "0".repeat(64),
  provider: "cpu",
  precision: "float32",
};

/** A deterministic encoder without weights: a text's vector is the sum of the vectors of its words. It counts its calls. */
export class FakeEmbedder implements Embedder {
  readonly identity = identity;
  readonly calls: { texts: readonly string[]; prompt: string | undefined }[] = [];
  report: Partial<EncodeReport> = {};

  async encode(texts: readonly string[], options: { prompt?: string } & WorkContext = {}): Promise<EmbeddingSetLike> {
    this.calls.push({ texts, prompt: options.prompt });
    const d = identity.dimensions;
    const data = new Float32Array(texts.length * d);
    for (const [i, text] of texts.entries()) {
      options.signal?.throwIfAborted();
      const whole = (options.prompt ?? "{text}").replace("{text}", () => text);
      for (const word of whole.toLowerCase().split(/\W+/)) if (word !== "") add(data, i * d, d, word);
      options.onProgress?.({ stage: "Encoding", done: i + 1, total: texts.length, unit: "texts" });
    }
    return {
      n: texts.length,
      dimensions: d,
      data,
      report: {
        n: texts.length,
        tokens: texts.length * 4,
        truncated: [],
        maxTokens: 64,
        empty: [],
        unknownShare: 0,
        scripts: [["Latin", 1]],
        elapsedMs: 1,
        textsPerSecond: texts.length * 1000,
        warnings: [],
        ...this.report,
      },
    };
  }
}

function add(data: Float32Array, at: number, d: number, word: string): void {
  let state = 2166136261;
  for (const letter of word) state = Math.imul(state ^ letter.charCodeAt(0), 16777619);
  for (let j = 0; j < d; j++) {
    state = (Math.imul(state, 1664525) + 1013904223) | 0;
    data[at + j]! += state / 2147483648;
  }
}
