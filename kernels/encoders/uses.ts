/** Who names an encoder: runs that started from it, notebooks that load it. */
import { readFileSync, statSync } from "node:fs";
import path from "node:path";
import { isDefaultReference } from "../encode/default-encoder.ts";
import { modelFolder } from "../hub/store.ts";
import type { EncoderConfiguration, EncoderEntry } from "../protocol/encoders.ts";

export type Known = Pick<EncoderConfiguration, "runs" | "notebooks">;
export const NOBODY: Known = { runs: [], notebooks: [] };

/** Larger notebooks are large by their outputs; to look through them costs more than the answer is worth. */
const MOST_BYTES = 20e6;

/** A function that says who uses an entry; each notebook is read once. */
export function usesOf(known: Known): (entry: Pick<EncoderEntry, "id" | "source">) => EncoderEntry["usedBy"] {
  const texts = new Map<string, string>();
  const textOf = (file: string): string => {
    let text = texts.get(file);
    if (text === undefined) {
      text = (statSync(file, { throwIfNoEntry: false })?.size ?? 0) > MOST_BYTES ? "" : readOrNothing(file);
      texts.set(file, text);
    }
    return text;
  };
  return ({ id, source }) => {
    const folder = source === "hub" ? modelFolder(id) : id;
    const runs = known.runs.filter(({ encoder }) => encoder === id || isInside(encoder, folder));
    // The default encoder is what every notebook uses that names none.
    const notebooks = isDefaultReference(id)
      ? []
      : known.notebooks.filter(({ path: file }) => textOf(file).includes(id));
    return [
      ...runs.map(({ path: at, name }) => ({ kind: "run" as const, path: at, name })),
      ...notebooks.map(({ path: at, name }) => ({ kind: "notebook" as const, path: at, name })),
    ];
  };
}

function isInside(file: string, folder: string): boolean {
  if (!path.isAbsolute(file) || !path.isAbsolute(folder)) return false;
  const relative = path.relative(folder, file);
  return !relative.startsWith("..") && !path.isAbsolute(relative);
}

/** A notebook that went away meanwhile uses nothing. */
function readOrNothing(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
