/**
 * TypeScript, JavaScript and JSON files beside the notebook: which they are, their JavaScript, and a version that
 * changes when the file or anything it imports changes, so that a changed file is loaded anew. Used by the kernel and by
 * its loader hooks, which run on a thread of their own.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { originalPositionFor, type SourceMapInput, TraceMap } from "@jridgewell/trace-mapping";
import { parseSync } from "oxc-parser";
import { transformSync } from "oxc-transform";
import { ParallaxError } from "../protocol/errors.ts";
import { locate, type Position } from "./position-map.ts";

const TYPESCRIPT = /\.[mc]?tsx?$/;
const OURS = /\.(?:[mc]?tsx?|m?js|json)$/;
const GUESSED = [".ts", ".tsx", ".mts", ".js", ".mjs", "/index.ts", "/index.js"];

const isFile = (file: string): boolean => statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;

/** The file that a relative import means: as written, without extension, or TypeScript behind a `.js`. */
export function findLocal(file: string): string | undefined {
  if (isFile(file)) return file;
  const typescript = file.replace(/\.([mc]?)js$/, ".$1ts");
  if (typescript !== file && isFile(typescript)) return typescript;
  for (const end of GUESSED) if (isFile(file + end)) return file + end;
  return undefined;
}

/** True for files that we load ourselves; others (CommonJS, addons) are Node's. */
export function isLocalModule(file: string): boolean {
  if (!OURS.test(file) || file.includes(`${path.sep}node_modules${path.sep}`)) return false;
  if (!file.endsWith(".js")) return true;
  return parseSync(file, readFileSync(file, "utf8"), { sourceType: "module" }).module.hasModuleSyntax;
}

const seen = new Map<string, { stamp: string; digest: string; imports: string[] }>();

function read(file: string): { digest: string; imports: string[] } {
  const { mtimeMs, size } = statSync(file);
  const stamp = `${mtimeMs} ${size}`;
  const known = seen.get(file);
  if (known?.stamp === stamp) return known;
  const source = readFileSync(file, "utf8");
  const imports: string[] = [];
  if (!file.endsWith(".json")) {
    const { module } = parseSync(file, source);
    const requests = [
      ...module.staticImports.map((entry) => entry.moduleRequest.value),
      ...module.staticExports.flatMap((entry) => entry.entries.flatMap((e) => e.moduleRequest?.value ?? [])),
    ];
    for (const request of requests) {
      if (!request.startsWith(".")) continue;
      const target = findLocal(path.resolve(path.dirname(file), request));
      if (target !== undefined) imports.push(target);
    }
  }
  const fresh = { stamp, digest: createHash("sha1").update(source).digest("hex"), imports };
  seen.set(file, fresh);
  return fresh;
}

/** Digest of a file and of all local files that it reaches. */
export function localVersion(file: string): string {
  const reached = new Map<string, string>();
  const visit = (next: string): void => {
    if (reached.has(next) || !existsSync(next)) return;
    const { digest, imports } = read(next);
    reached.set(next, digest);
    imports.forEach(visit);
  };
  visit(file);
  const hash = createHash("sha1");
  for (const [name, digest] of [...reached].sort(([a], [b]) => (a < b ? -1 : 1))) hash.update(`${name} ${digest}\n`);
  return hash.digest("hex").slice(0, 16);
}

/**
 * A file's code as an ES module.
 * @throws {ParallaxError} import.syntax with file, line and column
 */
export function localSource(file: string): string {
  const source = readFileSync(file, "utf8");
  if (file.endsWith(".json")) {
    try {
      return `export default ${JSON.stringify(JSON.parse(source))};`;
    } catch (error) {
      throw new ParallaxError("import.syntax", `${file} is not JSON: ${(error as Error).message}.`, { cause: error });
    }
  }
  if (!TYPESCRIPT.test(file)) return source;
  return toJavaScript(file, source).code;
}

function toJavaScript(file: string, source: string): { code: string; map: object | undefined } {
  const { code, map, errors } = transformSync(file, source, {
    sourceType: "module",
    sourcemap: true,
    target: "es2024",
    jsx: "preserve",
  });
  const wrong = errors.find((error) => error.severity === "Error");
  if (!wrong) return { code, map };
  const { line, column } = locate(source, wrong.labels[0]?.start ?? 0);
  throw new ParallaxError("import.syntax", `${file}, line ${line}, column ${column}: ${wrong.message}.`, {
    details: { file, line, column },
  });
}

const maps = new Map<string, { stamp: number; map: TraceMap }>();

/** Line and column in a file as the user wrote it, from those of the code that runs. Both count from 1. */
export function localPosition(file: string, line: number, column: number): Position {
  if (!TYPESCRIPT.test(file)) return { line, column };
  try {
    const stamp = statSync(file).mtimeMs;
    let known = maps.get(file);
    if (known?.stamp !== stamp) {
      const { map } = toJavaScript(file, readFileSync(file, "utf8"));
      known = { stamp, map: new TraceMap(map as SourceMapInput) };
      maps.set(file, known);
    }
    const found = originalPositionFor(known!.map, { line, column: column - 1 });
    return found.line === null ? { line, column } : { line: found.line, column: found.column + 1 };
  } catch {
    // The file is gone or no longer parses: the line of what ran is the best there is.
    return { line, column };
  }
}
