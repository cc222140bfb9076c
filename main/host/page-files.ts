/** The built page's files, by the path of their address. Nothing outside of dist/renderer has an address. */
import { readFile, realpath } from "node:fs/promises";
import path from "node:path";
import { systemCode } from "./disk-errors.ts";
import { packageRoot } from "./package-root.ts";

const TYPES: Record<string, string> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ttf": "font/ttf",
  ".woff2": "font/woff2",
  ".wasm": "application/wasm",
  ".json": "application/json",
};

export interface PageFile {
  body: Buffer;
  type: string;
  /** True when the name changes with the content. */
  isImmutable: boolean;
}

export function pageFolder(): string {
  return path.join(packageRoot(), "dist/renderer");
}

/** @param pathname of the address, still escaped. Null when there is no such file, or it lies outside. */
export async function pageFile(pathname: string, folder = pageFolder()): Promise<PageFile | null> {
  let name: string;
  try {
    name = decodeURIComponent(pathname);
  } catch (error) {
    if (error instanceof URIError) return null;
    throw error;
  }
  if (name.includes("\0") || name.includes("\\")) return null;
  if (name === "/") name = "/index.html";
  const type = TYPES[path.posix.extname(name)];
  if (type === undefined || !name.startsWith("/")) return null;
  try {
    const root = await realpath(folder);
    const file = await realpath(path.join(root, name));
    if (!file.startsWith(root + path.sep)) return null;
    return { body: await readFile(file), type, isImmutable: /-[A-Z0-9]{8}\.\w+$/.test(name) };
  } catch (error) {
    if (["ENOENT", "ENOTDIR", "EISDIR", "ENAMETOOLONG"].includes(systemCode(error) ?? "")) return null;
    throw error;
  }
}
