#!/usr/bin/env node
/** Prints the path of a Chromium for the tests of the page; exit code 1 when there is none. */
import path from "node:path";
import { build } from "esbuild";
import { root } from "./install.mjs";

// The rule lives in one place, main/host/chromium.ts; it is small enough to be compiled on the spot.
const { outputFiles } = await build({
  entryPoints: [path.join(root, "main/host/chromium.ts")],
  bundle: true,
  write: false,
  platform: "node",
  format: "esm",
});
const source = `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString("base64")}`;
const { findChromium } = await import(source);
const found = findChromium();
if (found) console.log(found);
process.exit(found ? 0 : 1);
