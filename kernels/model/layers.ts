/** Which layer a weight belongs to, and which linear layers an encoder has: for freezing, layer-wise rates and adapters. */
import type { Lora } from "../protocol/run-files.ts";
import { type Architecture, weightShapes } from "./architecture.ts";
import { bertLayerNames, WORD_EMBEDDINGS } from "./bert.ts";
import { distilBertLayerNames } from "./distilbert.ts";
import { mpnetLayerNames } from "./mpnet.ts";
import type { LayerNames } from "./post-norm.ts";
import { T5_WORDS, t5BlockNames } from "./t5.ts";

export type LinearTarget = Lora["targets"][number];

export interface LinearLayer {
  target: LinearTarget;
  /** Name without ".weight". */
  prefix: string;
  inner: number;
  outer: number;
}

/** The weight with the vectors of the vocabulary. */
export function wordTable({ family }: Architecture): string {
  return family === "t5" ? T5_WORDS : WORD_EMBEDDINGS;
}

/**
 * −1 for embeddings and what is shared by all layers, 0 for the lowest layer, …; the number of layers for what comes
 * after them (T5's last norm, dense heads).
 */
export function layerOf(name: string, architecture: Architecture): number {
  const inLayer = /\.(?:layer|block)\.(\d+)\./.exec(name);
  if (inLayer !== null) return Number(inLayer[1]);
  return /^(shared|embeddings)\.|relative_attention_bias/.test(name) ? -1 : architecture.config.layers;
}

/** Every linear layer that an adapter can go beside. */
export function linearLayers(architecture: Architecture): LinearLayer[] {
  const shapes = weightShapes(architecture);
  const found: LinearLayer[] = [];
  for (let layer = 0; layer < architecture.config.layers; layer++)
    for (const [target, prefix] of targetsOf(architecture, layer)) {
      const [outer, inner] = shapes.get(`${prefix}.weight`)!;
      found.push({ target, prefix, inner: inner!, outer: outer! });
    }
  return found;
}

function targetsOf(architecture: Architecture, layer: number): [LinearTarget, string][] {
  if (architecture.family === "t5") {
    const names = t5BlockNames(layer);
    const inner = architecture.config.gated ? [`${names.inner}_0`, `${names.inner}_1`] : [names.inner];
    return [
      ...attention(names),
      ...inner.map((name): [LinearTarget, string] => ["inner", name]),
      ["outer", names.output],
    ];
  }
  const names = postNormNames(architecture.family, layer);
  return [...attention(names), ["inner", names.inner], ["outer", names.output]];
}

function attention({
  attention: { query, key, value, output },
}: Pick<LayerNames, "attention">): [LinearTarget, string][] {
  return [
    ["query", query],
    ["key", key],
    ["value", value],
    ["output", output],
  ];
}

function postNormNames(family: "bert" | "roberta" | "distilbert" | "mpnet", layer: number): LayerNames {
  switch (family) {
    case "bert":
    case "roberta":
      return bertLayerNames(layer);
    case "distilbert":
      return distilBertLayerNames(layer);
    case "mpnet":
      return mpnetLayerNames(layer);
  }
}
