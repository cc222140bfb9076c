#!/usr/bin/env node
/**
 * Makes the golden numbers of test/golden again: every script there, with PyTorch, SciPy and scikit-learn. Tests only read
 * the numbers, so nobody else needs these. `npm run golden -- evaluate` runs evaluate.py alone.
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const root = path.dirname(path.dirname(fileURLToPath(import.meta.url)));
const python = process.env.PARALLAX_PYTHON ?? "/usr/bin/python3";

const probe = spawnSync(python, ["-c", "import torch, numpy; print(torch.__version__)"], { encoding: "utf8" });
if (probe.status !== 0) {
  const why = probe.error ? probe.error.message : probe.stderr.trim().split("\n").at(-1);
  console.error(`golden: ${python} has no PyTorch (${why}).`);
  console.error(
    "golden: install Debian's package (apt-get install python3-torch) or set PARALLAX_PYTHON to a Python that has it.",
  );
  process.exit(1);
}
console.log(`golden: PyTorch ${probe.stdout.trim()} of ${python}`);
const folder = path.join(root, "test/golden");
const wanted = process.argv.slice(2);
const scripts = readdirSync(folder)
  // tiny.py is what make.py imports.
  .filter((name) => name.endsWith(".py") && name !== "tiny.py")
  .filter((name) => wanted.length === 0 || wanted.includes(name.slice(0, -3)));
let failed = scripts.length === 0;
for (const name of scripts) {
  console.log(`golden: ${name}`);
  failed = spawnSync(python, [path.join(folder, name)], { stdio: "inherit" }).status !== 0 || failed;
}
process.exit(failed ? 1 : 0);
