/** Every link in our own documents leads to a file that is there. */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { expect, test } from "vitest";
import { root } from "../scripts/build.mjs";

const documents = execFileSync("git", ["ls-files", "*.md"], { cwd: root, encoding: "utf8" }).trim().split("\n");

test("links between documents and to pictures lead somewhere", () => {
  const broken = documents.flatMap((document) => {
    const text = readFileSync(path.join(root, document), "utf8").replace(/```[\s\S]*?```/g, "");
    return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
      .map(([, target]) => (target as string).replace(/#.*$/, ""))
      .filter((target) => target !== "" && !/^[a-z]+:/.test(target))
      .filter((target) => !existsSync(path.join(root, path.dirname(document), target)))
      .map((target) => `${document} → ${target}`);
  });
  expect(broken).toEqual([]);
});

test("the guides name every call of the public module", () => {
  const api = readFileSync(path.join(root, "kernels/api/index.ts"), "utf8");
  const guides = documents.map((document) => readFileSync(path.join(root, document), "utf8")).join("\n");
  const calls = [
    "loadEncoder",
    "readTable",
    "loadTask",
    "encode",
    "similarity",
    "evaluate",
    "comparePrompts",
    "map",
    "fineTune",
    "estimateRun",
    "sweep",
    "openSweep",
    "openRun",
    "listRuns",
    "stopRun",
    "resumeRun",
    "trainingRows",
    "nliTriplets",
    "mineNegatives",
    "filterConsistent",
    "scoreRows",
    "findLeaks",
    "removeLeaks",
    "pairsByLabel",
    "encodeCorpus",
    "openCorpus",
    "vectorCache",
    "downloadEncoder",
    "listEncoders",
    "comparePrecisions",
    "compact",
    "calibrate",
    "measureEncoder",
    "clearVectorCache",
    "comparePrecisions",
    "compact",
    "measureEncoder",
  ];
  const missing = (text: string): string[] => calls.filter((name) => !new RegExp(`\\b${name}\\b`).test(text));
  expect({ api: missing(api), guides: missing(guides) }).toEqual({ api: [], guides: [] });
});
