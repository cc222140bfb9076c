/** Which files of a model folder make its tokenizer, and how the older kinds are read. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { ParallaxError } from "../protocol/errors.ts";
import type { AddedToken } from "./added-tokens.ts";
import { isObject, type Json, unknownComponent } from "./components.ts";
import type { Pipeline } from "./pipeline.ts";
import { readSentencePiece, type SentencePieceModel, sentencePiecePipeline } from "./sentencepiece.ts";

export interface TokenizerFiles {
  file: string;
  /** A tokenizer.json, read or made from older files; or what a .model file becomes. */
  contents: Json | Pipeline;
  config: Json;
}

/** Larger tokenizer files are refused; the largest in use have about 35 MB. */
const MAX_BYTES = 200_000_000;

/**
 * @param source a folder or one of its files.
 * @param config contents of tokenizer_config.json in place of the file's.
 * @throws {ParallaxError} tokenizer.missing, tokenizer.damaged, tokenizer.unsupported
 */
export function readTokenizerFiles(source: string, config?: Json): TokenizerFiles {
  const file = findFile(source);
  const folder = path.dirname(file);
  const settings = config ?? readJson(path.join(folder, "tokenizer_config.json"), true);
  if (file.endsWith(".model")) {
    const model = readSentencePiece(readBytes(file));
    return { file, contents: fromSentencePiece(model, settings), config: settings };
  }
  if (file.endsWith(".txt"))
    return { file, contents: fromVocabularyText(readBytes(file).toString("utf8"), settings), config: settings };
  if (path.basename(file) === "vocab.json") {
    const merges = readBytes(path.join(folder, "merges.txt")).toString("utf8");
    return { file, contents: fromMerges(readJson(file, false), merges, settings), config: settings };
  }
  return { file, contents: readJson(file, false), config: settings };
}

function findFile(source: string): string {
  if (/\.(json|model|txt)$/.test(source)) return source;
  const inFolder = (name: string) => path.join(source, name);
  const has = (name: string) => existsSync(inFolder(name));
  if (has("tokenizer.json")) return inFolder("tokenizer.json");
  let models: string[] = [];
  try {
    models = readdirSync(source).filter((name) => name.endsWith(".model"));
  } catch {
    // The folder is missing: said below, by the file that is expected.
  }
  const usual = ["sentencepiece.bpe.model", "spiece.model", "tokenizer.model"].find((name) => models.includes(name));
  const model = usual ?? (models.length === 1 ? models[0] : undefined);
  if (model !== undefined) return inFolder(model);
  if (has("vocab.json") && has("merges.txt")) return inFolder("vocab.json");
  if (has("vocab.txt")) return inFolder("vocab.txt");
  return inFolder("tokenizer.json");
}

function readBytes(file: string): Buffer {
  try {
    const { size } = statSync(file);
    if (size > MAX_BYTES)
      throw new ParallaxError("tokenizer.damaged", `${file} has ${size} bytes; a tokenizer has at most ${MAX_BYTES}.`, {
        hint: "Check that this is the tokenizer and not the weights.",
        details: { file, size },
      });
    return readFileSync(file);
  } catch (error) {
    if (error instanceof ParallaxError) throw error;
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw new ParallaxError("tokenizer.missing", `${file} could not be read (${code}). No text was encoded.`, {
      hint: "Copy tokenizer.json from the model's own folder beside its weights.",
      details: { file, systemCode: code },
      cause: error,
    });
  }
}

function readJson(file: string, optional: boolean): Json {
  if (optional && !existsSync(file)) return {};
  const text = readBytes(file).toString("utf8");
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
    throw new SyntaxError("it is not a JSON object");
  } catch (error) {
    throw new ParallaxError(
      "tokenizer.damaged",
      `${file} is not valid JSON: ${(error as Error).message}. No text was encoded.`,
      { hint: "Copy the file from the model again.", details: { file }, cause: error },
    );
  }
}

/** Class without "Fast": both read the same files the same way. */
function classOf(config: Json): string {
  return typeof config.tokenizer_class === "string" ? config.tokenizer_class.replace(/Fast$/, "") : "";
}

/** The text of a token in tokenizer_config.json, which is a string or an object. */
function tokenText(config: Json, key: string, otherwise: string): string {
  const value = config[key];
  if (typeof value === "string") return value;
  return isObject(value) && typeof value.content === "string" ? value.content : otherwise;
}

function special(content: string, id: number, left = false): AddedToken {
  return { id, content, special: true, left, right: false, singleWord: false, normalised: false };
}

/** A .model with what the model's class puts around it. */
export function fromSentencePiece(model: SentencePieceModel, config: Json): Pipeline {
  const count = model.pieces.length;
  switch (classOf(config)) {
    case "":
      return sentencePiecePipeline(model);
    case "XLMRobertaTokenizer":
      // fairseq put <pad> in and <unk> behind </s>: pieces from the fourth on move up by one.
      return sentencePiecePipeline(model, {
        id: (place) => (place === 0 ? 3 : place === 1 ? 0 : place === 2 ? 2 : place + 1),
        added: [
          special("<s>", 0),
          special("<pad>", 1),
          special("</s>", 2),
          special("<unk>", 3),
          special("<mask>", count + 1, true),
        ],
        prefix: [0],
        suffix: [2],
      });
    case "T5Tokenizer": {
      const extra = typeof config.extra_ids === "number" ? Math.max(0, Math.min(10_000, config.extra_ids)) : 100;
      const place = (text: string) => model.pieces.findIndex((piece) => piece.text === text);
      const own = ["<pad>", "</s>", "<unk>"].filter((text) => place(text) >= 0);
      const end = place(tokenText(config, "eos_token", "</s>"));
      return sentencePiecePipeline(model, {
        added: [
          ...own.map((text) => special(text, place(text))),
          ...Array.from({ length: extra }, (_, n) => special(`<extra_id_${n}>`, count + extra - 1 - n)),
        ],
        suffix: end < 0 ? [] : [end],
      });
    }
    default:
      throw unknownComponent("tokenizer_class", config.tokenizer_class, [
        "XLMRobertaTokenizer",
        "T5Tokenizer",
        "a tokenizer.json",
      ]);
  }
}

/** A BERT or MPNet vocab.txt as a tokenizer.json. */
export function fromVocabularyText(text: string, config: Json): Json {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === "") lines.pop();
  const vocab: Record<string, number> = Object.create(null);
  for (const [id, piece] of lines.entries()) vocab[piece] = id;
  const isMpnet = classOf(config) === "MPNetTokenizer";
  const token = (key: string, bert: string, mpnet: string) => tokenText(config, key, isMpnet ? mpnet : bert);
  const cls = token("cls_token", "[CLS]", "<s>");
  const sep = token("sep_token", "[SEP]", "</s>");
  const unk = token("unk_token", "[UNK]", "[UNK]");
  const mask = token("mask_token", "[MASK]", "<mask>");
  const specials = [token("pad_token", "[PAD]", "<pad>"), unk, cls, sep, mask];
  return {
    normalizer: {
      type: "BertNormalizer",
      clean_text: true,
      handle_chinese_chars: config.tokenize_chinese_chars ?? true,
      strip_accents: config.strip_accents ?? null,
      lowercase: config.do_lower_case ?? true,
    },
    pre_tokenizer: { type: "BertPreTokenizer" },
    model: { type: "WordPiece", unk_token: unk, vocab },
    post_processor: { type: "BertProcessing", cls: [cls, vocab[cls]], sep: [sep, vocab[sep]] },
    decoder: null,
    added_tokens: addedTokens(specials, vocab, mask, isMpnet),
  };
}

/** GPT-2's and RoBERTa's vocab.json and merges.txt as a tokenizer.json. */
export function fromMerges(vocab: Json, merges: string, config: Json): Json {
  const rules = merges.split(/\r?\n/).filter((line) => line !== "" && !line.startsWith("#version"));
  const cls = tokenText(config, "cls_token", tokenText(config, "bos_token", "<s>"));
  const sep = tokenText(config, "sep_token", tokenText(config, "eos_token", "</s>"));
  const mask = tokenText(config, "mask_token", "<mask>");
  const specials = [cls, tokenText(config, "pad_token", "<pad>"), sep, tokenText(config, "unk_token", "<unk>"), mask];
  const hasFrame = Object.hasOwn(vocab, cls) && Object.hasOwn(vocab, sep) && classOf(config) !== "GPT2Tokenizer";
  return {
    normalizer: null,
    pre_tokenizer: { type: "ByteLevel", add_prefix_space: config.add_prefix_space ?? false, trim_offsets: true },
    model: { type: "BPE", vocab, merges: rules },
    post_processor: hasFrame ? { type: "RobertaProcessing", cls: [cls, vocab[cls]], sep: [sep, vocab[sep]] } : null,
    decoder: { type: "ByteLevel" },
    added_tokens: addedTokens(specials, vocab, mask, true),
  };
}

function addedTokens(texts: readonly string[], vocab: Json, mask: string, maskTakesSpace: boolean): Json[] {
  return [...new Set(texts)]
    .filter((content) => vocab[content] !== undefined)
    .map((content) => ({
      id: vocab[content],
      content,
      special: true,
      normalized: false,
      lstrip: content === mask && maskTakesSpace,
    }));
}
