/**
 * A whole sentence-transformers folder with a tiny seeded random BERT: real files, real WordPiece, a vocabulary of our
 * own, no pre-trained numbers. Small enough to encode hundreds of texts in a test.
 */
import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { writeSafetensors } from "../../kernels/encode/safetensors.ts";
import { type Tensor, tensor } from "../../kernels/graph/tensor.ts";

export interface TinyBertOptions {
  seed?: number;
  layers?: number;
  hidden?: number;
  heads?: number;
  ffn?: number;
  /** Length of the position table. */
  maxPositions?: number;
  /** `max_seq_length` of sentence_bert_config.json. */
  maxTokens?: number;
  /** Whole words beyond the built-in ones. */
  words?: string[];
  pooling?: "mean" | "cls" | "max";
  normalise?: boolean;
  prompts?: Record<string, string>;
  /** False leaves a plain transformers folder: no modules.json, no pooling. */
  modules?: boolean;
}

const WORDS = `the a an and or not of in on to for with from by is are was be it this that he she they we you i do does did
have has had can will what which who how when where why all some no more than very new old good bad big small man woman
child dog cat bird horse house car street city river tree field water fire stone food bread milk bank card money account
payment transfer cash machine open close read write play run walk sit eat sleep sing dance drive cook cut hold look speak
music guitar piano song book letter paper table chair door window red green blue white black young tall long short fast
slow happy sad one two three four five people group team game ball player train plane boat bus road sky sun rain snow wind
cell protein gene virus disease patient drug study result method model data text word sentence query passage document
represent retrieve classify search question answer topic science law history sport weather health travel school work`;

/** The vocabulary of the tiny tokenizer: special pieces, characters, continuations, words. Ids are positions. */
export function tinyVocabulary(extra: readonly string[] = []): string[] {
  const letters = [..."abcdefghijklmnopqrstuvwxyz0123456789"];
  const suffixes = ["##s", "##ed", "##ing", "##er", "##ly", "##tion", "##al", "##est"];
  const pieces = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "[MASK]",
    ...`!"#$%&'()*+,-./:;<=>?@[\\]^_{|}~`,
    ...letters,
    ...letters.map((letter) => `##${letter}`),
    ...suffixes,
    ...WORDS.split(/\s+/),
    ...extra,
  ];
  return [...new Set(pieces)];
}

/** The tokenizer.json of the tiny tokenizer, with the trap of real ones: it truncates and pads, and both must be overridden. */
export function tinyTokenizerJson(vocabulary: readonly string[]): Record<string, unknown> {
  const special = (content: string) => ({
    id: vocabulary.indexOf(content),
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  });
  const template = (name: string) => ({ SpecialToken: { id: name, type_id: 0 } });
  return {
    version: "1.0",
    truncation: { max_length: 8, strategy: "LongestFirst", stride: 0 },
    padding: {
      strategy: { Fixed: 8 },
      direction: "Right",
      pad_to_multiple_of: null,
      pad_id: 0,
      pad_type_id: 0,
      pad_token: "[PAD]",
    },
    added_tokens: ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"].map(special),
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: true,
      strip_accents: null,
      lowercase: true,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    post_processor: {
      type: "TemplateProcessing",
      single: [template("[CLS]"), { Sequence: { id: "A", type_id: 0 } }, template("[SEP]")],
      pair: [
        template("[CLS]"),
        { Sequence: { id: "A", type_id: 0 } },
        template("[SEP]"),
        { Sequence: { id: "B", type_id: 1 } },
      ],
      special_tokens: Object.fromEntries(
        ["[CLS]", "[SEP]"].map((name) => [name, { id: name, ids: [vocabulary.indexOf(name)], tokens: [name] }]),
      ),
    },
    decoder: { type: "WordPiece", prefix: "##", cleanup: true },
    model: {
      type: "WordPiece",
      unk_token: "[UNK]",
      continuing_subword_prefix: "##",
      max_input_chars_per_word: 100,
      vocab: Object.fromEntries(vocabulary.map((piece, id) => [piece, id])),
    },
  };
}

/** Normal deviates from a 32-bit seed (mulberry32 and Box-Muller). */
export function seededNormal(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

/** Every weight of the tiny BERT under its usual name, float32. Norms lie around 1, biases are not zero, so that each one matters. */
export function tinyBertWeights(options: TinyBertOptions & { vocabSize: number }): Map<string, Tensor> {
  const { vocabSize, seed = 1, layers = 2, hidden = 32, ffn = 64, maxPositions = 64 } = options;
  const normal = seededNormal(seed);
  const weights = new Map<string, Tensor>();
  const put = (name: string, dims: number[], scale: number, centre = 0) => {
    const data = new Float32Array(dims.reduce((a, b) => a * b, 1));
    for (let i = 0; i < data.length; i++) data[i] = centre + scale * normal();
    weights.set(name, tensor("float32", dims, data));
  };
  const linear = (name: string, out: number, input: number) => {
    put(`${name}.weight`, [out, input], 1 / Math.sqrt(input));
    put(`${name}.bias`, [out], 0.1);
  };
  const norm = (name: string) => {
    put(`${name}.weight`, [hidden], 0.1, 1);
    put(`${name}.bias`, [hidden], 0.1);
  };
  put("embeddings.word_embeddings.weight", [vocabSize, hidden], 1);
  put("embeddings.position_embeddings.weight", [maxPositions, hidden], 0.3);
  put("embeddings.token_type_embeddings.weight", [2, hidden], 0.3);
  norm("embeddings.LayerNorm");
  for (let layer = 0; layer < layers; layer++) {
    const prefix = `encoder.layer.${layer}`;
    for (const part of ["query", "key", "value"]) linear(`${prefix}.attention.self.${part}`, hidden, hidden);
    linear(`${prefix}.attention.output.dense`, hidden, hidden);
    norm(`${prefix}.attention.output.LayerNorm`);
    linear(`${prefix}.intermediate.dense`, ffn, hidden);
    linear(`${prefix}.output.dense`, hidden, ffn);
    norm(`${prefix}.output.LayerNorm`);
  }
  return weights;
}

export function tinyBertConfig(options: TinyBertOptions & { vocabSize: number }): Record<string, unknown> {
  const { vocabSize, layers = 2, hidden = 32, heads = 4, ffn = 64, maxPositions = 64 } = options;
  return {
    architectures: ["BertModel"],
    model_type: "bert",
    vocab_size: vocabSize,
    hidden_size: hidden,
    num_hidden_layers: layers,
    num_attention_heads: heads,
    intermediate_size: ffn,
    max_position_embeddings: maxPositions,
    type_vocab_size: 2,
    layer_norm_eps: 1e-12,
    hidden_act: "gelu",
    position_embedding_type: "absolute",
    pad_token_id: 0,
  };
}

/**
 * Write the folder and return its path. Without a folder a new temporary one is made.
 * Default: 2 layers, hidden 32, 4 heads, ffn 64, 64 positions, 48 tokens, mean pooling, normalised.
 */
export function writeTinyBert(folder?: string, options: TinyBertOptions = {}): string {
  const target = folder ?? mkdtempSync(path.join(tmpdir(), "parallax-tiny-bert-"));
  const { hidden = 32, maxTokens = 48, pooling = "mean", normalise = true, prompts, modules = true } = options;
  const vocabulary = tinyVocabulary(options.words);
  const full = { ...options, vocabSize: vocabulary.length };
  const json = (name: string, value: unknown) => {
    mkdirSync(path.dirname(path.join(target, name)), { recursive: true });
    writeFileSync(path.join(target, name), `${JSON.stringify(value, null, 2)}\n`);
  };
  json("config.json", tinyBertConfig(full));
  json("tokenizer.json", tinyTokenizerJson(vocabulary));
  json("tokenizer_config.json", {
    tokenizer_class: "BertTokenizer",
    do_lower_case: true,
    unk_token: "[UNK]",
    sep_token: "[SEP]",
    pad_token: "[PAD]",
    cls_token: "[CLS]",
    mask_token: "[MASK]",
    model_max_length: options.maxPositions ?? 64,
  });
  writeSafetensors(path.join(target, "model.safetensors"), tinyBertWeights(full));
  if (!modules) return target;
  json("modules.json", [
    { idx: 0, name: "0", path: "", type: "sentence_transformers.models.Transformer" },
    { idx: 1, name: "1", path: "1_Pooling", type: "sentence_transformers.models.Pooling" },
    ...(normalise ? [{ idx: 2, name: "2", path: "2_Normalize", type: "sentence_transformers.models.Normalize" }] : []),
  ]);
  json("1_Pooling/config.json", {
    word_embedding_dimension: hidden,
    pooling_mode_cls_token: pooling === "cls",
    pooling_mode_mean_tokens: pooling === "mean",
    pooling_mode_max_tokens: pooling === "max",
    pooling_mode_mean_sqrt_len_tokens: false,
  });
  json("sentence_bert_config.json", { max_seq_length: maxTokens, do_lower_case: false });
  if (prompts !== undefined)
    json("config_sentence_transformers.json", { prompts, default_prompt_name: null, similarity_fn_name: "cosine" });
  return target;
}
