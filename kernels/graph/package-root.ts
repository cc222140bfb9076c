/** Where our own files are. Code is bundled, so a file never looks for its neighbours by its own address. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { ParallaxError } from "../protocol/errors.ts";

let found: string | undefined;

/**
 * The folder of the package.json named "parallax" above this module.
 * @throws {ParallaxError} install.no-root when there is none (the installation is incomplete)
 */
export function packageRoot(): string {
  if (found !== undefined) return found;
  let folder = path.dirname(fileURLToPath(import.meta.url));
  for (;;) {
    const file = path.join(folder, "package.json");
    if (existsSync(file) && (JSON.parse(readFileSync(file, "utf8")) as { name?: unknown }).name === "parallax") {
      found = folder;
      return folder;
    }
    const parent = path.dirname(folder);
    if (parent === folder)
      throw new ParallaxError("install.no-root", `No package.json named "parallax" is above ${import.meta.url}.`, {
        kind: "environment",
        hint: "Install Parallax again.",
      });
    folder = parent;
  }
}
