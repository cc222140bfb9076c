/** The folder of Parallax's own package.json: where dist/ and notebooks/examples lie. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

let found: string | undefined;

export function packageRoot(): string {
  if (found !== undefined) return found;
  for (let folder = path.dirname(fileURLToPath(import.meta.url)); ; folder = path.dirname(folder)) {
    const file = path.join(folder, "package.json");
    if (existsSync(file) && (JSON.parse(readFileSync(file, "utf8")) as { name?: string }).name === "parallax") {
      found = folder;
      return folder;
    }
    if (folder === path.dirname(folder)) throw new Error("Parallax's own package.json was not found above this file.");
  }
}
