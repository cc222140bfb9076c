/** What a model takes on disk once its graph is built. */
import { statSync } from "node:fs";
import path from "node:path";

/** Bytes of an ONNX file and of the weights beside it that the graph cache writes. */
export function graphFileBytes(file: string): number {
  const beside = path.join(path.dirname(file), `${path.basename(file)}_data`);
  return statSync(file).size + (statSync(beside, { throwIfNoEntry: false })?.size ?? 0);
}
