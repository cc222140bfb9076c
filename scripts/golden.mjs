#!/usr/bin/env node
/**
 * `npm run golden [name …]`: makes the golden numbers of test/golden again, with PyTorch, SciPy and scikit-learn. Each
 * script there writes its own JSON files. Tests only read those, so nobody else needs Python.
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

const folder = path.join(path.dirname(path.dirname(fileURLToPath(import.meta.url))), "test/golden");
const python = process.env.PARALLAX_PYTHON ?? "/usr/bin/python3";
/** Parts that the scripts import. */
const PARTS = ["tiny.py", "restatement.py"];

const probe = spawnSync(python, ["-c", "import torch, numpy; print(torch.__version__)"], { encoding: "utf8" });
if (probe.status !== 0) {
  const why = probe.error ? probe.error.message : probe.stderr.trim().split("\n").at(-1);
  console.error(`golden: ${python} has no PyTorch (${why}).`);
  console.error(
    "golden: apt-get install python3-torch python3-sklearn, or set PARALLAX_PYTHON to a Python that has both.",
  );
  process.exit(1);
}
console.log(`golden: PyTorch ${probe.stdout.trim()} of ${python}`);

const all = readdirSync(folder).filter((file) => file.endsWith(".py") && !PARTS.includes(file));
const wanted = process.argv.slice(2).map((name) => `${name}.py`);
const unknown = wanted.filter((file) => !all.includes(file));
if (unknown.length > 0) {
  console.error(`golden: no ${unknown.join(", ")} in test/golden; there are ${all.join(", ")}.`);
  process.exit(2);
}
const failed = (wanted.length > 0 ? wanted : all).filter((file) => {
  console.log(`golden: ${file}`);
  return spawnSync(python, [path.join(folder, file)], { stdio: "inherit" }).status !== 0;
});
if (failed.length > 0) console.error(`golden: failed: ${failed.join(", ")}`);
process.exit(failed.length > 0 ? 1 : 0);
