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
  "kernels/planner.entry.ts",
  "kernels/cli.entry.ts",
  "kernels/provider-check.entry.ts",
  "kernels/encoders.entry.ts",
  "kernels/graph/compute.worker.ts",
  "kernels/runtime/interrupt.worker.ts",
  "kernels/runtime/loader.hooks.ts",
  "kernels/map/layout.worker.ts",
  "main/cli/index.ts",
  "main/electron/app.ts",
];

/** What is built from what. A part is built again when one of its sources changed, and only then. */
const PARTS = {
  node: { sources: ["kernels", "main", "notebooks/format", "notebooks/export"], build: buildNode },
  wasm: { sources: ["kernels/train"], only: /\.as\.ts$/, build: buildWasm },
  types: { sources: ["kernels", "tsconfig", "tsconfig.base.json"], build: buildTypes },
  page: { sources: ["renderer", "kernels/protocol", "notebooks/format"], build: buildPage },
};

/** A digest of names, sizes and times of a part's sources: cheap, and it changes whenever one of them does. */
function sourceStamp({ sources, only }) {
  const hash = createHash("sha256");
  const walk = (file) => {
    const found = statSync(file, { throwIfNoEntry: false });
    if (found === undefined) return;
    if (found.isDirectory()) for (const name of readdirSync(file).sort()) walk(path.join(file, name));
    else if (only === undefined || only.test(file))
      hash.update(`${path.relative(root, file)} ${found.size} ${found.mtimeMs}\n`);
  };
  for (const source of [...sources, "package.json", "package-lock.json", "scripts/build.mjs"])
    walk(path.join(root, source));
  return hash.digest("hex");
}

const stampFile = (part) => path.join(root, "dist/stamps", part);

function isPartBuilt(part) {
  return existsSync(stampFile(part)) && readFileSync(stampFile(part), "utf8") === sourceStamp(PARTS[part]);
}

/** True when dist/ was made from the sources as they are, or when there are no sources (an installed package). */
export function isBuilt(parts = Object.keys(PARTS)) {
  if (!existsSync(path.join(root, "kernels/protocol"))) return parts.every((part) => existsSync(stampFile(part)));
  return parts.every(isPartBuilt);
}

/** Builds what is needed. Two processes that need it at once build in turn; the second finds it done. */
export async function ensureBuilt(log = (_line) => undefined, parts = Object.keys(PARTS)) {
  if (isBuilt(parts)) return;
  log("Building Parallax (once after each change of its sources)…");
  const results = await Promise.allSettled(parts.map(ensurePart));
  const failed = results.flatMap((result, i) =>
    result.status === "rejected" ? [`${parts[i]}: ${result.reason?.message ?? result.reason}`] : [],
  );
  if (failed.length > 0) throw new Error(`The build failed.\n${failed.join("\n")}`);
}

async function ensurePart(part) {
  if (isPartBuilt(part)) return;
  const lock = path.join(root, `dist/.${part}.lock`);
  mkdirSync(path.join(root, "dist/stamps"), { recursive: true });
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
    if (isPartBuilt(part)) return;
    const stamp = sourceStamp(PARTS[part]);
    await PARTS[part].build();
    writeFileSync(`${stampFile(part)}.new`, stamp);
    renameSync(`${stampFile(part)}.new`, stampFile(part));
  } finally {
    rmSync(lock, { recursive: true, force: true });
  }
}

async function buildNode() {
  const { build: bundle } = await import("esbuild");
  const entries = NODE_ENTRIES.filter((file) => existsSync(path.join(root, file)));
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
  const { metafile } = await bundle({
    ...common,
    entryPoints: entries,
    outbase: ".",
    outdir: "dist",
    format: "esm",
    splitting: true,
    metafile: true,
    outExtension: { ".js": ".mjs" },
    chunkNames: "chunks/[name]-[hash]",
  });
  removeOldChunks(new Set(Object.keys(metafile.outputs)));
  if (existsSync(path.join(root, "main/electron/preload.ts")))
    await bundle({
      ...common,
      entryPoints: ["main/electron/preload.ts"],
      outfile: "dist/main/electron/preload.cjs",
      format: "cjs",
    });
}

/** Chunks of earlier builds stay for an hour: a process that started before this build may still load them. */
function removeOldChunks(current) {
  const folder = path.join(root, "dist/chunks");
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    const file = path.join(folder, name);
    if (!current.has(`dist/chunks/${name}`) && Date.now() - statSync(file).mtimeMs > 3_600_000) rmSync(file);
  }
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
