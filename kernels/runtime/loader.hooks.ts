/** Module hooks for files beside the notebook, and for what those import. Registered when the first one is imported. */
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { findLocal, isLocalModule, localSource, localVersion } from "./local-modules.ts";

export interface LoaderData {
  /** A file in our own package: packages that the notebook's folder lacks are looked for from there. */
  fallback: string;
  /** Exports of "parallax". */
  names: string[];
}

interface Resolved {
  url: string;
  format?: string;
  shortCircuit?: boolean;
}
interface Loaded {
  format: string;
  source: string;
  shortCircuit?: boolean;
}

const API_URL = "parallax:api";
let data: LoaderData;

export function initialize(given: LoaderData): void {
  data = given;
}

/** Address of a local file in its present version. */
export function versionedUrl(file: string): string {
  return `${pathToFileURL(file).href}?parallax=${localVersion(file)}`;
}

export async function resolve(
  specifier: string,
  context: { parentURL?: string },
  next: (specifier: string, context: object) => Promise<Resolved>,
): Promise<Resolved> {
  const parent = context.parentURL;
  if (!parent?.includes("?parallax=")) return next(specifier, context);
  if (specifier === "parallax") return { url: API_URL, format: "module", shortCircuit: true };
  if (specifier.startsWith(".")) {
    const folder = path.dirname(fileURLToPath(parent.replace(/\?.*$/, "")));
    const file = findLocal(path.resolve(folder, specifier));
    if (file !== undefined && isLocalModule(file))
      return { url: versionedUrl(file), format: "module", shortCircuit: true };
    return next(specifier, context);
  }
  try {
    return await next(specifier, context);
  } catch (error) {
    if ((error as { code?: unknown }).code !== "ERR_MODULE_NOT_FOUND") throw error;
    return next(specifier, { ...context, parentURL: data.fallback });
  }
}

export async function load(
  url: string,
  context: object,
  next: (url: string, context: object) => Promise<Loaded>,
): Promise<Loaded> {
  if (url === API_URL) {
    const lines = data.names.map((name) => `export const ${name} = api.${name};`);
    const source = `const api = await globalThis[Symbol.for("parallax.api")]();\n${lines.join("\n")}`;
    return { format: "module", source, shortCircuit: true };
  }
  if (!url.includes("?parallax=")) return next(url, context);
  return { format: "module", source: localSource(fileURLToPath(url.replace(/\?.*$/, ""))), shortCircuit: true };
}
