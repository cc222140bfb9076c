#!/usr/bin/env node
/** Makes the golden numbers of test/golden again with PyTorch. Tests only read them, so nobody else needs PyTorch. */
import { spawnSync } from "node:child_process";
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
const made = spawnSync(python, [path.join(root, "test/golden/make.py"), ...process.argv.slice(2)], {
  stdio: "inherit",
});
process.exit(made.status ?? 1);
