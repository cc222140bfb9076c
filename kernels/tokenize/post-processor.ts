/** The post-processor of a tokenizer.json, of which one text needs only what stands before and after its tokens. */
import { badComponent, isObject, type Json, list, typeOf, unknownComponent, wholeNumber } from "./components.ts";

const KNOWN = ["TemplateProcessing", "BertProcessing", "RobertaProcessing", "ByteLevel", "Sequence"] as const;
const WHERE = "post_processor";

export interface Frame {
  prefix: number[];
  suffix: number[];
}

/** @throws {ParallaxError} tokenizer.unsupported naming an unknown type, tokenizer.damaged */
export function readPostProcessor(config: unknown, depth = 0): Frame {
  if (config === null || config === undefined) return { prefix: [], suffix: [] };
  const type = typeOf(config, WHERE);
  const json = config as Json;
  switch (type) {
    case "ByteLevel":
      return { prefix: [], suffix: [] };
    case "BertProcessing":
    case "RobertaProcessing":
      return { prefix: [pairId(json.cls)], suffix: [pairId(json.sep)] };
    case "Sequence": {
      if (depth > 8) throw badComponent(WHERE, "is nested more than 8 deep");
      const frame: Frame = { prefix: [], suffix: [] };
      for (const step of list(json, "processors", WHERE)) {
        const { prefix, suffix } = readPostProcessor(step, depth + 1);
        frame.prefix.unshift(...prefix);
        frame.suffix.push(...suffix);
      }
      return frame;
    }
    case "TemplateProcessing":
      return template(json);
    default:
      throw unknownComponent(WHERE, type, KNOWN);
  }
}

function pairId(pair: unknown): number {
  return wholeNumber(Array.isArray(pair) ? pair[1] : undefined, "a special token with the id", WHERE);
}

function template(json: Json): Frame {
  const frame: Frame = { prefix: [], suffix: [] };
  const specials = isObject(json.special_tokens) ? json.special_tokens : {};
  let texts = 0;
  for (const item of list(json, "single", WHERE)) {
    if (!isObject(item)) throw badComponent(WHERE, "has a template of an unknown form");
    if (isObject(item.Sequence)) {
      texts++;
      continue;
    }
    const name = isObject(item.SpecialToken) ? item.SpecialToken.id : undefined;
    const special = typeof name === "string" && Object.hasOwn(specials, name) ? specials[name] : undefined;
    if (!isObject(special)) throw badComponent(WHERE, `has no ids for ${JSON.stringify(name)?.slice(0, 80)}`);
    const ids = list(special, "ids", WHERE).map((id) => wholeNumber(id, "the id", WHERE));
    (texts === 0 ? frame.prefix : frame.suffix).push(...ids);
  }
  if (texts !== 1) throw badComponent(WHERE, `has ${texts} places for the text in its template`);
  return frame;
}

const DECODERS = [
  "BPEDecoder",
  "ByteLevel",
  "WordPiece",
  "Metaspace",
  "CTC",
  "Sequence",
  "Replace",
  "Fuse",
  "Strip",
  "ByteFallback",
] as const;

/** Nothing is decoded here, but an unknown decoder means a tokenizer that is not understood. */
export function checkDecoder(config: unknown, depth = 0): void {
  if (config === null || config === undefined) return;
  const type = typeOf(config, "decoder");
  if (!(DECODERS as readonly string[]).includes(type)) throw unknownComponent("decoder", type, DECODERS);
  if (type !== "Sequence") return;
  if (depth > 8) throw badComponent("decoder", "is nested more than 8 deep");
  for (const step of list(config as Json, "decoders", "decoder")) checkDecoder(step, depth + 1);
}
