#!/usr/bin/env node
/**
 * Walks the import graph and fails on a cycle or on an edge that the table below does not allow.
 * Type-only imports of kernels/api are allowed anywhere; all other type imports count like value imports.
 */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { builtinModules } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseSync } from "oxc-parser";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));

/** Kernel folders from bottom to top: a folder may import itself and what stands before it. */
const KERNEL_ORDER = [
  ["protocol"],
  ["files"],
  ["hub"],
  ["graph"],
  ["model"],
  ["tokenize"],
  ["encode"],
  ["data"],
  ["evaluate"],
  ["figure"],
  ["prompts", "map", "train", "encoders", "gpu", "corpus", "sweep"],
  ["mining"],
  ["api"],
  ["runtime"],
  ["cli"],
  ["entries"],
];

/** Outside packages that only one place may name, with what to use instead. */
const RESERVED = {
  "onnxruntime-node": { only: [/^kernels\/graph\/session\.ts$/], instead: "kernels/graph/compute.ts" },
  electron: { only: [/^main\/electron\//], instead: "main/host" },
  react: { only: [/^renderer\//], instead: "the renderer" },
  "plotly.js-strict-dist-min": { only: [/^renderer\/plot\//], instead: "renderer/plot" },
  "monaco-editor": { only: [/^renderer\//], instead: "the renderer" },
};

/** Files that may use Node's modules although their layer is pure. */
const NODE_ALLOWED = [
  /^kernels\/graph\/(session|compute|compute\.worker|model-file|package-root|runtime-folder)\.ts$/,
  /^kernels\/(files|hub|tokenize|encode|data|figure|map|train|encoders|gpu|corpus|mining|sweep|api|runtime|cli)\//,
  /^kernels\/[a-z]+\.entry\.ts$/,
  /^main\/(host|server|cli|electron)\//,
  /^notebooks\/export\//,
];

function area(file) {
  const parts = file.split("/");
  if (parts[0] === "kernels") return parts.length === 2 ? "kernels/entries" : `kernels/${parts[1]}`;
  if (parts[0] === "main" || parts[0] === "notebooks" || parts[0] === "renderer") return `${parts[0]}/${parts[1]}`;
  return parts[0];
}

const level = (name) => KERNEL_ORDER.findIndex((row) => row.includes(name));

/** Null when the edge is allowed, else why not. */
function refuse(from, to, typeOnly) {
  const [a, b] = [area(from), area(to)];
  if (a === b) return null;
  if (typeOnly && b === "kernels/api") return null;
  if (b === "kernels/protocol") return null;
  if (a === "kernels/protocol") return "protocol imports nothing of ours";
  if (a.startsWith("kernels/")) {
    if (b === "notebooks/format" && level(a.slice(8)) >= level("api")) return null;
    if (!b.startsWith("kernels/")) return "kernels import kernels only";
    return level(b.slice(8)) < level(a.slice(8)) ? null : "kernel layers go one way";
  }
  if (a === "notebooks/format") return "notebooks/format imports protocol only";
  if (a === "notebooks/export")
    return b === "notebooks/format" ? null : "notebooks/export imports notebooks/format and protocol only";
  if (a.startsWith("main/")) {
    if (b.startsWith("notebooks/")) return null;
    if (b === "main/host" && a !== "main/host") return null;
    if (a === "main/cli" && b === "main/server") return null;
    return b.startsWith("kernels/")
      ? "main starts kernel entries as processes; it imports kernels/protocol only"
      : "main layers go host ← server, cli, electron";
  }
  if (a.startsWith("renderer/")) {
    if (b === "notebooks/format") return null;
    if (!b.startsWith("renderer/")) return "the page imports protocol and notebooks/format only";
    const order = ["theme", "host", "state", "commands", "ui", "plot", "features", "app"];
    const [la, lb] = [order.indexOf(a.slice(9)), order.indexOf(b.slice(9))];
    if (la < 0 || lb < 0) return `unknown renderer folder (known: ${order.join(", ")})`;
    return lb < la ? null : "renderer layers go theme ← host ← state ← commands ← ui ← plot ← features ← app";
  }
  return `no rule for ${a}`;
}

function* sources(folder) {
  for (const entry of readdirSync(path.join(root, folder), { withFileTypes: true })) {
    const name = `${folder}/${entry.name}`;
    if (entry.isDirectory()) yield* sources(name);
    else if (/\.tsx?$/.test(entry.name) && !/\.(d|as)\.ts$/.test(entry.name)) yield name;
  }
}

const problems = [];
const graph = new Map();
for (const folder of ["kernels", "main", "renderer", "notebooks"]) {
  if (!existsSync(path.join(root, folder))) continue;
  for (const file of sources(folder)) {
    const { module, errors } = parseSync(file, readFileSync(path.join(root, file), "utf8"));
    if (errors.length > 0) problems.push(`${file}: ${errors[0].message}`);
    const edges = [];
    const named = [
      ...module.staticImports.map((i) => ({
        to: i.moduleRequest.value,
        typeOnly: i.entries.length > 0 && i.entries.every((e) => e.isType),
      })),
      ...module.staticExports.flatMap((e) =>
        e.entries.filter((x) => x.moduleRequest).map((x) => ({ to: x.moduleRequest.value, typeOnly: x.isType })),
      ),
    ];
    for (const { to, typeOnly } of named) {
      if (to.startsWith(".")) {
        const target = path.posix.normalize(path.posix.join(path.posix.dirname(file), to)).replace(/\?.*$/, "");
        if (/\.(css|svg|json|wasm)$/.test(target)) continue;
        if (!existsSync(path.join(root, target))) problems.push(`${file}: imports ${to}, which does not exist`);
        const why = refuse(file, target, typeOnly);
        if (why) problems.push(`${file} → ${target}: ${why}`);
        const [fa, ta] = [file.split("/"), target.split("/")];
        if (fa[1] === "features" && ta[1] === "features" && fa[0] === "renderer" && fa[2] !== ta[2])
          problems.push(`${file} → ${target}: a feature never imports another feature; they meet in renderer/state`);
        if (!typeOnly) edges.push(target);
        continue;
      }
      const bare = to.replace(/^node:/, "").split("/")[0];
      if ((to.startsWith("node:") || builtinModules.includes(bare)) && !NODE_ALLOWED.some((r) => r.test(file)))
        problems.push(`${file}: ${to} may not be used in this layer`);
      const reserved = RESERVED[to];
      if (reserved && !typeOnly && !reserved.only.some((r) => r.test(file)))
        problems.push(`${file}: ${to} is reserved; use ${reserved.instead}`);
    }
    graph.set(file, edges);
  }
}

const state = new Map();
function visit(file, trail) {
  if (state.get(file) === "done") return;
  if (state.get(file) === "open") {
    problems.push(`cycle: ${[...trail.slice(trail.indexOf(file)), file].join(" → ")}`);
    return;
  }
  state.set(file, "open");
  for (const next of graph.get(file) ?? []) visit(next, [...trail, file]);
  state.set(file, "done");
}
for (const file of graph.keys()) visit(file, []);

if (problems.length > 0) {
  console.error(problems.join("\n"));
  console.error(
    `\n${problems.length} import${problems.length === 1 ? "" : "s"} against the layers (docs/architecture.md).`,
  );
  process.exit(1);
}
console.log(`layers: ${graph.size} files, no edge against them, no cycle`);
