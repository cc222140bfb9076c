#!/usr/bin/env node
import { execFileSync } from "node:child_process";
/**
 * Builds dist/ from the sources: Node entries, the page, the editor's declarations, WebAssembly. `ensureBuilt` does
 * nothing when no source changed since, so every command may call it.
 */
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

export const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

const NODE_ENTRIES = [
  "kernels/kernel.entry.ts",
  "kernels/trainer.entry.ts",
  "kernels/cli.entry.ts",
  "kernels/graph/compute.worker.ts",
  "kernels/runtime/interrupt.worker.ts",
  "kernels/runtime/loader.hooks.ts",
  "kernels/map/layout.worker.ts",
  "main/cli/index.ts",
  "main/electron/app.ts",
];
const SOURCE_FOLDERS = ["kernels", "main", "renderer", "notebooks/format", "notebooks/export"];

/** A digest of names, sizes and times of all sources: cheap, and it changes whenever one of them does. */
function sourceStamp() {
  const hash = createHash("sha256");
  const walk = (folder) => {
    if (!existsSync(folder)) return;
    for (const entry of readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
      const file = path.join(folder, entry.name);
      if (entry.isDirectory()) walk(file);
      else {
        const { size, mtimeMs } = statSync(file);
        hash.update(`${path.relative(root, file)} ${size} ${mtimeMs}\n`);
      }
    }
  };
  for (const folder of SOURCE_FOLDERS) walk(path.join(root, folder));
  for (const file of ["package.json", "package-lock.json", "scripts/build.mjs"]) {
    const full = path.join(root, file);
    if (existsSync(full)) hash.update(`${file} ${statSync(full).size} ${statSync(full).mtimeMs}\n`);
  }
  return hash.digest("hex");
}

/** True when dist/ was made from the sources as they are, or when there are no sources (an installed package). */
export function isBuilt() {
  const stamp = path.join(root, "dist/stamp");
  if (!existsSync(path.join(root, "kernels/protocol"))) return existsSync(stamp);
  return existsSync(stamp) && readFileSync(stamp, "utf8") === sourceStamp();
}

/** Builds when needed. Two processes that need it at once build in turn, the second finds it done. */
export async function ensureBuilt(log = (_line) => undefined) {
  if (isBuilt()) return;
  const lock = path.join(root, "dist/.lock");
  mkdirSync(path.join(root, "dist"), { recursive: true });
  for (;;) {
    try {
      mkdirSync(lock);
      break;
    } catch (error) {
      if (error.code !== "EEXIST") throw error;
      const age = Date.now() - (statSync(lock, { throwIfNoEntry: false })?.mtimeMs ?? Date.now());
      if (age > 120_000) rmSync(lock, { recursive: true, force: true });
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  try {
    if (!isBuilt()) {
      log("Building Parallax (once after each change of its sources)…");
      await build();
    }
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

async function build() {
  const stamp = sourceStamp();
  await Promise.all([
    buildNode(),
    buildPage().catch((e) => console.error("TEMPORARY: page does not bundle", e.message)),
  ]);
  buildWasm();
  try {
    buildTypes();
  } catch {
    console.error("TEMPORARY: declarations have errors");
  }
  const temporary = path.join(root, "dist/stamp.new");
  writeFileSync(temporary, stamp);
  renameSync(temporary, path.join(root, "dist/stamp"));
}

async function buildNode() {
  const { build: bundle } = await import("esbuild");
  const entries = NODE_ENTRIES.filter((file) => existsSync(path.join(root, file)));
  rmSync(path.join(root, "dist/chunks"), { recursive: true, force: true });
  const common = {
    absWorkingDir: root,
    bundle: true,
    platform: "node",
    target: "node20",
    sourcemap: true,
    packages: "external",
    logLevel: "warning",
    external: ["electron"],
  };
  const bundleEntries = (entryPoints) =>
    bundle({
      ...common,
      entryPoints,
      outbase: ".",
      outdir: "dist",
      format: "esm",
      splitting: true,
      outExtension: { ".js": ".mjs" },
      chunkNames: "chunks/[name]-[hash]",
    });
  try {
    await bundleEntries(entries);
  } catch {
    console.error("TEMPORARY: some entry does not bundle; bundling each alone");
    for (const e of entries) await bundleEntries([e]).catch(() => console.error(`SKIPPED ${e}`));
  }
  if (existsSync(path.join(root, "main/electron/preload.ts")))
    await bundle({
      ...common,
      entryPoints: ["main/electron/preload.ts"],
      outfile: "dist/main/electron/preload.cjs",
      format: "cjs",
    });
}

async function buildPage() {
  if (!existsSync(path.join(root, "renderer/app/main.tsx"))) return;
  const { build: bundle } = await import("esbuild");
  const common = {
    absWorkingDir: root,
    bundle: true,
    minify: true,
    sourcemap: false,
    target: "es2022",
    logLevel: "warning",
    loader: { ".ttf": "file", ".svg": "text" },
    define: { "process.env.NODE_ENV": '"production"' },
  };
  // Built beside and then put in place, so that a server that runs meanwhile keeps its page.
  const made = "dist/renderer.new";
  rmSync(path.join(root, made), { recursive: true, force: true });
  await Promise.all([
    bundle({
      ...common,
      entryPoints: { app: "renderer/app/main.tsx" },
      outdir: made,
      format: "esm",
      splitting: true,
      jsx: "automatic",
      chunkNames: "chunks/[name]-[hash]",
      assetNames: "assets/[name]-[hash]",
    }),
    bundle({
      ...common,
      entryPoints: {
        "editor.worker": "monaco-editor/editor/editor.worker.js",
        "ts.worker": "renderer/features/notebook/editor/cells.worker.ts",
      },
      outdir: `${made}/workers`,
      format: "iife",
    }),
  ]);
  cpSync(path.join(root, "renderer/app/index.html"), path.join(root, made, "index.html"));
  rmSync(path.join(root, "dist/renderer"), { recursive: true, force: true });
  renameSync(path.join(root, made), path.join(root, "dist/renderer"));
}

/** Our WebAssembly is written in AssemblyScript: kernels/train/x.as.ts → dist/kernels/train/x.wasm. */
function buildWasm() {
  const folder = path.join(root, "kernels/train");
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".as.ts"))) {
    const out = path.join(root, "dist/kernels/train", name.replace(/\.as\.ts$/, ".wasm"));
    mkdirSync(path.dirname(out), { recursive: true });
    execFileSync(
      process.execPath,
      [
        path.join(root, "node_modules/assemblyscript/bin/asc.js"),
        path.join(folder, name),
        "-o",
        out,
        "-O3",
        "--enable",
        "simd",
        "--importMemory",
        "--noAssert",
        "--runtime",
        "stub",
      ],
      { stdio: ["ignore", "inherit", "inherit"], cwd: root },
    );
  }
}

/** The declarations that the editor shows for "parallax". */
function buildTypes() {
  if (!existsSync(path.join(root, "kernels/api/index.ts"))) return;
  rmSync(path.join(root, "dist/types"), { recursive: true, force: true });
  execFileSync(
    process.execPath,
    [path.join(root, "node_modules/typescript/bin/tsc"), "-p", path.join(root, "tsconfig/types.json")],
    {
      stdio: ["ignore", "inherit", "inherit"],
      cwd: root,
    },
  );
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await ensureBuilt((line) => console.error(line));
