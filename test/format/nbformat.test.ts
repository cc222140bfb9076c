/** What we save is what Jupyter's own validator accepts. Needs Debian's python3-nbformat; skipped plainly without it. */
import { spawnSync } from "node:child_process";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { Notebook } from "../../notebooks/format/model.ts";
import { applyOps, newCell, newNotebook } from "../../notebooks/format/ops.ts";
import { parseNotebook } from "../../notebooks/format/parse.ts";
import { printNotebook } from "../../notebooks/format/print.ts";
import { notebook, op } from "./arbitraries.ts";

const PYTHON = "/usr/bin/python3";
const isPresent = spawnSync(PYTHON, ["-c", "import nbformat"]).status === 0;

/** Validates many notebooks in one process, and reads them as nbformat does. Answers [valid, joined sources] for each. */
const SCRIPT = `
import json, sys, nbformat
answers = []
for text in json.load(sys.stdin):
    nb = nbformat.reads(text, as_version=nbformat.NO_CONVERT)
    nbformat.validate(nb)
    answers.append([nb.nbformat_minor, [c.source for c in nb.cells]])
json.dump(answers, sys.stdout)
`;

function validate(texts: string[]): unknown {
  const { stdout, stderr, status } = spawnSync(PYTHON, ["-c", SCRIPT], {
    input: JSON.stringify(texts),
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

/**
 * Without what other programs refuse though we keep it: lone surrogates (Python cannot print them), and values that the
 * schema does not allow for the two metadata keys that it knows.
 */
function valid<T>(value: T): T {
  const text = JSON.stringify(value)
    .replace(/\\ud800/g, "x")
    .replace(/"(tags|collapsed)":/g, '"my_$1":');
  return JSON.parse(text);
}

test.skipIf(!isPresent)("nbformat validates new notebooks, and files that were edited here", () => {
  const samples = fc.sample(fc.tuple(notebook, fc.array(op, { maxLength: 5 })), { numRuns: 60, seed: 7 });
  const edited: Notebook[] = samples.map(([start, ops]) => {
    const clean = valid(start);
    const { notebook: read, source } = parseNotebook(printNotebook(clean, null).text);
    const after = applyOps(read, valid(ops));
    return parseNotebook(printNotebook(after, source).text).notebook;
  });
  const all = [newNotebook(), { ...newNotebook(), cells: [newCell("markdown", "# a\nb"), newCell("raw")] }, ...edited];
  const answers = validate(all.map((each) => printNotebook(each, null).text));
  expect(answers).toEqual(all.map((each) => [each.nbformat_minor, each.cells.map((cell) => cell.source)]));
});
