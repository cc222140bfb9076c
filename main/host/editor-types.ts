/** Declarations that the editor shows: our own build of them, and those of the one package that they name. */
import { readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { systemCode } from "./disk-errors.ts";
import { packageRoot } from "./package-root.ts";

/** Path below node_modules → text. Empty declarations when the package was built without them. */
export function editorTypes(): Record<string, string> {
  const files: Record<string, string> = { "parallax/index.d.ts": 'export * from "./kernels/api/index.ts";\n' };
  collect(path.join(packageRoot(), "dist/types"), "parallax", files);
  const zod = path.dirname(createRequire(path.join(packageRoot(), "package.json")).resolve("zod/package.json"));
  files["zod/package.json"] = '{"name":"zod","types":"./index.d.ts"}';
  files["zod/index.d.ts"] = readFileSync(path.join(zod, "index.d.ts"), "utf8");
  for (const part of ["classic", "core", "locales"]) collect(path.join(zod, "v4", part), `zod/v4/${part}`, files);
  return files;
}

function collect(folder: string, prefix: string, files: Record<string, string>): void {
  let names: string[];
  try {
    names = readdirSync(folder, { recursive: true }) as string[];
  } catch (error) {
    if (systemCode(error) === "ENOENT") return;
    throw error;
  }
  for (const name of names)
    if (name.endsWith(".d.ts"))
      files[`${prefix}/${name.split(path.sep).join("/")}`] = readFileSync(path.join(folder, name), "utf8");
}
