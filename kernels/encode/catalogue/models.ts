/**
 * The known encoders. Sources: each model's config.json, modules.json, 1_Pooling, sentence_bert_config.json and card;
 * papers: C-Pack (BGE, 2309.07597), E5 (2212.03533), mE5 (2402.05672), GTE (2308.03281), InstructOR (2212.09741).
 * Sizes of T5 encoders: counted from their shapes, decoder left out.
 */
import { INSTRUCTOR_BASE, INSTRUCTOR_LARGE, INSTRUCTOR_XL } from "./instructor-prompts.ts";
import type { CatalogueEntry, RefusedModel, TaskPrompts } from "./types.ts";

type Shape = Pick<CatalogueEntry, "layers" | "dimensions" | "millions">;

const SMALL: Shape = { layers: 12, dimensions: 384, millions: 33.4 };
const BASE: Shape = { layers: 12, dimensions: 768, millions: 109 };
const LARGE: Shape = { layers: 24, dimensions: 1024, millions: 335 };

const NO_ROLES = { query: null, document: null, text: null };

const PLAIN = {
  family: "bert",
  maxTokens: 512,
  pooling: "mean",
  dense: null,
  normalise: true,
  promptPooling: "include",
  prompts: {},
  roles: NO_ROLES,
  needsPrompt: false,
} as const satisfies Partial<CatalogueEntry>;

function bge(name: string, shape: Shape, language: "en" | "zh"): CatalogueEntry {
  const query =
    language === "en"
      ? "Represent this sentence for searching relevant passages: "
      : "为这个句子生成表示以用于检索相关文章：";
  return {
    ...PLAIN,
    ...shape,
    id: `BAAI/${name}`,
    pooling: "cls",
    prompts: { query },
    roles: { query: "query", document: null, text: null },
    licence: "MIT",
    languages: [language],
    note: "The prompt is for queries of retrieval only; passages and all other tasks have none.",
  };
}

function gte(size: string, shape: Shape): CatalogueEntry {
  return { ...PLAIN, ...shape, id: `thenlper/gte-${size}`, licence: "MIT", languages: ["en"] };
}

function e5(id: string, shape: Shape, more: Partial<CatalogueEntry> = {}): CatalogueEntry {
  return {
    ...PLAIN,
    ...shape,
    id: `intfloat/${id}`,
    prompts: { query: "query: ", passage: "passage: " },
    roles: { query: "query", document: "passage", text: "query" },
    needsPrompt: true,
    licence: "MIT",
    languages: ["en"],
    note: "Every text needs a prefix; symmetric tasks (STS, classification, clustering) have “query: ” on every text.",
    ...more,
  };
}

const T5_BASE: Shape = { layers: 12, dimensions: 768, millions: 110 };
const T5_LARGE: Shape = { layers: 24, dimensions: 768, millions: 336 };
const T5_XL: Shape = { layers: 24, dimensions: 768, millions: 1242 };

const T5 = {
  ...PLAIN,
  family: "t5",
  dense: { out: 768, bias: false },
  licence: "Apache-2.0",
  languages: ["en"],
} as const;

function instructor(size: string, shape: Shape, tasks: Readonly<Record<string, TaskPrompts>>): CatalogueEntry {
  return {
    ...T5,
    ...shape,
    id: `hkunlp/instructor-${size}`,
    promptPooling: "exclude",
    tasks,
    needsPrompt: true,
    note: "Each task has an instruction of its own: “Represent the (domain) (type) for (objective): ”.",
  };
}

export const CATALOGUE: readonly CatalogueEntry[] = [
  {
    ...PLAIN,
    id: "sentence-transformers/all-MiniLM-L6-v2",
    layers: 6,
    dimensions: 384,
    millions: 22.7,
    maxTokens: 256,
    licence: "Apache-2.0",
    languages: ["en"],
    note: "Trained on texts of at most 128 tokens; tokenizer.json says 128, the model runs at 256.",
  },
  {
    ...PLAIN,
    id: "sentence-transformers/all-mpnet-base-v2",
    family: "mpnet",
    layers: 12,
    dimensions: 768,
    millions: 109.5,
    maxTokens: 384,
    licence: "Apache-2.0",
    languages: ["en"],
    note: "tokenizer.json says 128 tokens, the model runs at 384.",
  },
  ...["", "-v1.5"].flatMap((version) => [
    bge(`bge-small-en${version}`, SMALL, "en"),
    bge(`bge-base-en${version}`, BASE, "en"),
    bge(`bge-large-en${version}`, LARGE, "en"),
    bge(`bge-small-zh${version}`, { layers: 4, dimensions: 512, millions: 24 }, "zh"),
    bge(`bge-base-zh${version}`, { layers: 12, dimensions: 768, millions: 102 }, "zh"),
    bge(`bge-large-zh${version}`, { layers: 24, dimensions: 1024, millions: 326 }, "zh"),
  ]),
  {
    ...PLAIN,
    id: "BAAI/bge-m3",
    family: "roberta",
    layers: 24,
    dimensions: 1024,
    millions: 568,
    maxTokens: 8192,
    pooling: "cls",
    licence: "MIT",
    languages: ["multilingual"],
    note: "The dense vectors; its sparse and multi-vector outputs are not computed. No prompt.",
  },
  gte("small", { ...SMALL, millions: 33.4 }),
  gte("base", BASE),
  gte("large", LARGE),
  ...["", "-v2"].flatMap((version) => [
    e5(`e5-small${version}`, SMALL),
    e5(`e5-base${version}`, BASE),
    e5(`e5-large${version}`, LARGE),
  ]),
  e5("multilingual-e5-small", { layers: 12, dimensions: 384, millions: 118 }, { languages: ["multilingual"] }),
  e5(
    "multilingual-e5-base",
    { layers: 12, dimensions: 768, millions: 278 },
    { family: "roberta", languages: ["multilingual"] },
  ),
  e5(
    "multilingual-e5-large",
    { layers: 24, dimensions: 1024, millions: 560 },
    { family: "roberta", languages: ["multilingual"] },
  ),
  instructor("base", T5_BASE, INSTRUCTOR_BASE),
  instructor("large", T5_LARGE, INSTRUCTOR_LARGE),
  instructor("xl", T5_XL, INSTRUCTOR_XL),
  { ...T5, ...T5_BASE, id: "sentence-transformers/gtr-t5-base" },
  { ...T5, ...T5_LARGE, id: "sentence-transformers/gtr-t5-large" },
  { ...T5, ...T5_XL, id: "sentence-transformers/gtr-t5-xl" },
  ...(
    [
      ["base", T5_BASE],
      ["large", T5_LARGE],
      ["xl", T5_XL],
    ] as const
  ).map(
    ([size, shape]): CatalogueEntry => ({
      ...T5,
      ...shape,
      id: `sentence-transformers/sentence-t5-${size}`,
      maxTokens: 256,
    }),
  ),
  {
    ...PLAIN,
    id: "avsolatorio/NoInstruct-small-Embedding-v0",
    ...SMALL,
    pooling: "cls",
    licence: "MIT",
    languages: ["en"],
    note: 'Texts are pooled by cls, retrieval queries by mean (its second Pooling module): load it with { pooling: "mean" } for the queries.',
  },
  {
    ...PLAIN,
    id: "moka-ai/m3e-small",
    layers: 4,
    dimensions: 512,
    millions: 24,
    normalise: false,
    licence: "see the model's card (research)",
    languages: ["zh", "en"],
    note: "Published as a pickle only: it must be saved as safetensors first.",
  },
];

export const REFUSED: readonly RefusedModel[] = [
  {
    id: "intfloat/e5-mistral-7b-instruct",
    why: "it is a decoder of 7 billion weights (Mistral, last-token pooling); Parallax runs encoders of the BERT, RoBERTa, DistilBERT, MPNet and T5 families",
  },
];
