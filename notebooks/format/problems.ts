/** Why a file is shown read-only: what was found, what is safe, what to do. */
import type { ErrorData } from "../../kernels/protocol/errors.ts";
import { placeOf, type ScanError } from "./scan.ts";

const SAFE = "The file was not changed.";
const EARLIER = "Restore an earlier version of the file, or copy the cells that you need into a new notebook.";

function problem(code: string, message: string, hint: string, details?: Record<string, unknown>): ErrorData {
  return { code: `notebook.${code}`, kind: "user", message, hint, ...(details ? { details } : {}) };
}

export function empty(sizeBytes: number): ErrorData {
  const found = sizeBytes === 0 ? "is empty (0 bytes)" : `holds nothing but white space (${sizeBytes} characters)`;
  return problem("empty", `The file ${found}, so there is no notebook in it. ${SAFE}`, EARLIER);
}

export function tooLarge(sizeBytes: number): ErrorData {
  const message = `The file has ${(sizeBytes / 1e6).toFixed(0)} MB; at most 536 MB can be opened as a notebook. ${SAFE}`;
  const hint =
    "Clear the outputs with `jupyter nbconvert --clear-output --inplace`, or keep large data in files of their own.";
  return problem("too-large", message, hint, { sizeBytes });
}

export function notUtf8(found: string): ErrorData {
  const message = `A notebook is UTF-8 text, this file is not (${found}). It is shown read-only. ${SAFE}`;
  return problem("not-utf8", message, "Save it as UTF-8 in a text editor, then open it again.");
}

export function notJson(text: string, at: number): ErrorData {
  const place = placeOf(text, at);
  const found = JSON.stringify(text.slice(at, at + 24));
  const message = `A notebook is a JSON object; at line ${place.line}, column ${place.column} there is ${found}. ${SAFE}`;
  return problem("not-json", message, "Open it in a text editor to see what it is, or choose another file.", place);
}

export function notANotebook(version: unknown): ErrorData {
  const message =
    version === 4
      ? `The file says that it is nbformat 4 but has no list of cells. ${SAFE}`
      : `The file is JSON but no notebook: "nbformat" should be 4 and is ${JSON.stringify(version) ?? "missing"}. ${SAFE}`;
  return problem("not-a-notebook", message, "Choose another file, or look at it in a text editor.");
}

export function oldFormat(version: number): ErrorData {
  const message = `This notebook is in nbformat ${version}; Parallax reads and writes nbformat 4. It is shown read-only. ${SAFE}`;
  const hint = "Convert it once with `jupyter nbconvert --to notebook --nbformat 4 FILE`, then open the new file.";
  return problem("old-format", message, hint, { nbformat: version });
}

export function newerFormat(version: number): ErrorData {
  const message = `This notebook is in nbformat ${version}, which is newer than this Parallax knows (4). ${SAFE}`;
  return problem("newer-format", message, "Update Parallax, or save the notebook as nbformat 4 where it was made.", {
    nbformat: version,
  });
}

export function invalid(what: string, shown: number): ErrorData {
  const message = `${what}. ${shownWords(shown)} ${SAFE}`;
  return problem("invalid-cell", message, "Repair it in a text editor, or restore an earlier version.", { shown });
}

/** The JSON breaks off, or breaks in the middle. */
export function broken(text: string, fault: ScanError, shown: number): ErrorData {
  const place = placeOf(text, Math.min(fault.at, text.length));
  const details = { ...place, expected: fault.message, shown };
  if (text.slice(fault.at).trim() === "") {
    const message = `The file ends in the middle of its JSON, at line ${place.line}: its tail is missing. ${shownWords(shown)} ${SAFE}`;
    return problem("truncated", message, EARLIER, details);
  }
  const lineStart = text.lastIndexOf("\n", fault.at - 1) + 1;
  const line = text.slice(lineStart, lineStart + 80);
  if (/^\s*(<<<<<<<|=======|>>>>>>>)/.test(line)) {
    const message = `The file has a merge conflict at line ${place.line}. ${shownWords(shown)} ${SAFE}`;
    return problem(
      "merge-conflict",
      message,
      "Resolve the conflict (`git mergetool`, or nbdime), then open it again.",
      details,
    );
  }
  const found = JSON.stringify(text.slice(fault.at, fault.at + 24));
  const message = `The file stops being JSON at line ${place.line}, column ${place.column}: ${fault.message} was expected, there is ${found}. ${shownWords(shown)} ${SAFE}`;
  return problem("broken-json", message, EARLIER, details);
}

function shownWords(shown: number): string {
  if (shown === 0) return "No cell could be read.";
  return shown === 1 ? "The first cell is shown, read-only." : `The first ${shown} cells are shown, read-only.`;
}
