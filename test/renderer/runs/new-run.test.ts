import { describe, expect, it } from "vitest";
import { LOSS_NEEDS } from "../../../kernels/protocol/losses.ts";
import {
  FIRST_RUN,
  faultOf,
  foundColumns,
  freeVariable,
  fromNotebook,
  isWhole,
  LOSSES,
  lossNeeds,
  type NewRun,
  newRunCell,
  placeCell,
  requestOf,
} from "../../../renderer/features/runs/new-run.ts";
import { openDocument } from "../../../renderer/state/documents.ts";
import { openedNotebook } from "../../support/opened-notebook.ts";

const documentOf = (sources: string[]) => openDocument(openedNotebook(sources));
const filled: NewRun = { ...FIRST_RUN, pairs: "data/pairs.jsonl", steps: "200", seed: "7" };

describe("the New run form", () => {
  it("writes the cell that a person would write", () => {
    expect(newRunCell(filled)).toBe(`import { fineTune } from "parallax";

const tuned = await fineTune({
  encoder: "default",
  pairs: "data/pairs.jsonl",
  batchSize: 32,
  steps: 200,
  learningRate: 2e-5,
  temperature: 0.05,
  seed: 7,
});
tuned`);
  });

  it("names columns, evaluation, loss and adapters only when they were chosen", () => {
    const run: NewRun = {
      ...filled,
      loss: "cosent",
      lora: true,
      evaluation: "test.tsv",
      columns: { anchor: "s1", positive: "s2", group: "", score: "gold" },
    };
    const cell = newRunCell(run, "tuned2", (file) => `../${file}`);
    expect(cell).toContain(
      'pairs: "../data/pairs.jsonl",\n  columns: { anchor: "s1", positive: "s2", score: "gold" },',
    );
    expect(cell).toContain('evaluation: "../test.tsv",\n  loss: "cosent",');
    expect(cell).toContain("lora: true");
    expect(cell).not.toContain("temperature");
    expect(requestOf(run)).toEqual({
      encoder: "default",
      pairs: "data/pairs.jsonl",
      columns: { anchor: "s1", positive: "s2", score: "gold" },
      evaluation: "test.tsv",
      recipe: { loss: "cosent", batchSize: 32, steps: 200, learningRate: 2e-5, lora: true, seed: 7 },
    });
  });

  it("leaves repeated rows out with code that does so", () => {
    const cell = newRunCell({ ...filled, dropDuplicates: true });
    const body = cell.slice(cell.indexOf("const tunedSeen"), cell.indexOf("const tuned =")).replace("<string>", "");
    const rows = [
      { anchor: "A  b", positive: "c" },
      { anchor: "a b", positive: "C" },
      { anchor: "a b", positive: "d" },
    ];
    const run = new Function("readTable", `return (async () => { ${body}; return tunedPairs; })()`);
    return expect(run(async () => rows)).resolves.toEqual([rows[0], rows[2]]);
  });

  it("says what is wrong with a number and is not whole before", () => {
    expect(isWhole(filled)).toBe(true);
    expect(isWhole({ ...filled, pairs: "" })).toBe(false);
    expect(faultOf({ ...filled, temperature: "0" }, "temperature")).toBe("0 is not a number over 0, such as 0.05.");
    expect(faultOf({ ...filled, temperature: "0", loss: "cosent" }, "temperature")).toBeNull();
    expect(faultOf({ ...filled, batchSize: "1" }, "batchSize")).toBe("1 is not a whole number from 2.");
    expect([faultOf({ ...filled, steps: "" }, "steps"), faultOf({ ...filled, seed: "x" }, "seed")]).toEqual([
      null,
      "x is not a whole number.",
    ]);
  });

  it("finds the two texts by their customary names", () => {
    expect(foundColumns(["id", "sentence2", "sentence1", "score"])).toEqual({
      anchor: "sentence1",
      positive: "sentence2",
    });
    expect(foundColumns(["query", "pos", "neg"])).toBeNull();
  });

  it("has every loss, and tells what it needs of a row", () => {
    expect(LOSSES.map(({ name }) => name).sort()).toEqual(Object.keys(LOSS_NEEDS).sort());
    expect(lossNeeds("triplet")).toBe("Needs two texts a row, at least one hard negative. The batch only averages.");
    expect(lossNeeds("cosent")).toContain("a score");
    expect(lossNeeds("info-nce")).toContain("Hard negatives are used when every row has some.");
  });

  it("names files from the notebook, and takes a name that is free", () => {
    expect([
      fromNotebook("data/a.tsv", null),
      fromNotebook("data/a.tsv", "x.ipynb"),
      fromNotebook("data/a.tsv", "data/x.ipynb"),
      fromNotebook("data/a.tsv", "other/deep/x.ipynb"),
      fromNotebook("/abs/a.tsv", "other/x.ipynb"),
    ]).toEqual(["data/a.tsv", "data/a.tsv", "a.tsv", "../../data/a.tsv", "/abs/a.tsv"]);
    expect(freeVariable(documentOf(["const tuned = 1", "let tuned2 = await f()"]))).toBe("tuned3");
    expect(freeVariable(null)).toBe("tuned");
  });

  it("goes into the active cell when that is empty, else below all others", () => {
    const doc = documentOf(["a", ""]);
    const empty = doc.notebook.cells[1]!.id;
    expect(placeCell({ ...doc, active: empty }, "x").ops).toEqual([{ type: "set-source", cellId: empty, source: "x" }]);
    expect(placeCell({ ...doc, active: doc.notebook.cells[0]!.id }, "x").ops).toMatchObject([
      { type: "insert-cell", index: 2, cell: { source: "x" } },
    ]);
  });
});
