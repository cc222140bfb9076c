/** What a model takes on disk once its graph is built. */
import { readdirSync, statSync } from "node:fs";
import path from "node:path";

/** Bytes of an ONNX file of the graph cache and of the weights beside it, links to the model's own file included. */
export function graphFileBytes(file: string): number {
  const folder = path.dirname(file);
  return readdirSync(folder)
    .filter((name) => name.startsWith(path.basename(file)) || name.endsWith(".safetensors"))
    .reduce((sum, name) => sum + statSync(path.join(folder, name)).size, 0);
}
