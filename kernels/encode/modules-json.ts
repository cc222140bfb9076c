/** modules.json of sentence-transformers: which steps make a vector, in their order. */
import path from "node:path";
import { ParallaxError } from "../protocol/errors.ts";
import { readJsonFile } from "./model-files.ts";

export interface Modules {
  /** Folder of the transformer, relative; "" when there is no modules.json. */
  transformer: string;
  /** A table of vectors in the transformer's place (Model2Vec). */
  isStatic: boolean;
  /** Folders of the poolings; more than one only in models that keep several. */
  pooling: string[];
  dense: string[];
  normalise: boolean;
  listed: boolean;
}

/** Order in which the steps may stand. */
const STEPS = ["Transformer", "StaticEmbedding", "Pooling", "Dense", "Normalize"];

/** @throws {ParallaxError} encoder.damaged-file, encoder.unsupported-module */
export function readModules(root: string): Modules {
  const listed = readJsonFile(path.join(root, "modules.json"), "array") as unknown as
    | Record<string, unknown>[]
    | undefined;
  const result: Modules = {
    transformer: "",
    isStatic: false,
    pooling: [],
    dense: [],
    normalise: false,
    listed: listed !== undefined,
  };
  let step = 0;
  (listed ?? []).forEach((module, i) => {
    const type = String(module?.type ?? "");
    const kind = type.split(".").at(-1) ?? "";
    const where = String(module?.path ?? "");
    const inside = path.relative(root, path.resolve(root, where));
    if (inside.startsWith("..") || path.isAbsolute(where))
      throw new ParallaxError(
        "encoder.damaged-file",
        `modules.json of ${root} names the folder "${where}", which lies outside of it. Nothing was loaded.`,
        {
          hint: "Use only model folders you trust.",
          details: { folder: root, path: where },
        },
      );
    const at = STEPS.indexOf(kind);
    const isFirst = kind === "Transformer" || kind === "StaticEmbedding";
    if (at < 0 || at < step || isFirst !== (i === 0))
      throw new ParallaxError(
        "encoder.unsupported-module",
        `modules.json of ${root} asks for the module ${type || JSON.stringify(module)} at place ${i + 1} of ${listed?.length}. Parallax runs Transformer, then Pooling, then Dense, then Normalize; leaving ${kind || "it"} out would give other vectors, so nothing was loaded.`,
        {
          hint: "Use a model without this module, or its ONNX export with the module inside.",
          details: { folder: root, module: type, place: i },
        },
      );
    step = at;
    if (kind === "Transformer") result.transformer = where;
    else if (kind === "StaticEmbedding") {
      result.transformer = where;
      result.isStatic = true;
    } else if (kind === "Pooling") result.pooling.push(where);
    else if (kind === "Dense") result.dense.push(where);
    else result.normalise = true;
  });
  return result;
}
