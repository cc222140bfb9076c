/** Opens an ONNX file with the weights that lie beside it. */
import { closeSync, fstatSync, openSync, readFileSync, readSync, realpathSync } from "node:fs";
import path from "node:path";
import { ParallaxError } from "../protocol/errors.ts";
import type { Graph } from "./ir.ts";
import { checkExternalLocation, decodeModel } from "./onnx-read.ts";
import type { ExternalReference } from "./onnx-write.ts";

/**
 * Reads a model file. Weights outside of it must lie in its own folder, also after links are followed.
 * @throws {ParallaxError} onnx.no-file, onnx.broken-file, onnx.external-escape, onnx.external-missing, …
 */
export function readModelFile(file: string): Graph {
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new ParallaxError("onnx.no-file", `The model file ${file} cannot be read.`, {
      cause: error,
      hint: "Check the path.",
    });
  }
  const folder = realpathSync(path.dirname(file));
  return decodeModel(bytes, { external: (reference) => readBeside(folder, reference) });
}

function readBeside(folder: string, { location, offset, length }: ExternalReference): Uint8Array {
  const wanted = path.join(folder, ...checkExternalLocation(location));
  let real: string;
  try {
    real = realpathSync(wanted);
  } catch (error) {
    throw new ParallaxError(
      "onnx.external-missing",
      `The model's weights should be in ${wanted}, which cannot be opened.`,
      {
        cause: error,
        hint: "Put that file beside the model.",
      },
    );
  }
  if (!real.startsWith(folder + path.sep))
    throw new ParallaxError(
      "onnx.external-escape",
      `The model's weights at ${wanted} lead to ${real}, outside of its folder.`,
      {
        hint: "Do not use this file; weights must lie beside the model.",
      },
    );
  const handle = openSync(real, "r");
  try {
    const { size } = fstatSync(handle);
    if (offset + length > size)
      throw new ParallaxError(
        "onnx.broken-file",
        `Weights at bytes ${offset} to ${offset + length} of ${real} are asked; it has ${size}.`,
        {
          hint: "The file is damaged or was not downloaded completely; get it again.",
        },
      );
    const bytes = new Uint8Array(length);
    let read = 0;
    while (read < length) {
      const got = readSync(handle, bytes, read, Math.min(length - read, 2 ** 30), offset + read);
      if (got === 0) break;
      read += got;
    }
    return bytes;
  } finally {
    closeSync(handle);
  }
}
