import { describe, expect, it } from "vitest";
import type { NotebookOp } from "../../../notebooks/format/model.ts";
import { applyOp } from "../../../notebooks/format/ops.ts";
import { encoderCell, isEncoderCell, writeEncoderCell } from "../../../renderer/features/encoders/encoder-cell.ts";
import {
  bytesOf,
  languagesText,
  progressText,
  rowName,
  stateWords,
  usesText,
} from "../../../renderer/features/encoders/encoder-words.ts";
import {
  counts,
  EMPTY_VIEW,
  type EncodersAction,
  type EncodersView,
  reduceEncoders,
  rowsOf,
} from "../../../renderer/features/encoders/encoders-state.ts";
import { openDocument } from "../../../renderer/state/documents.ts";
import { downloadProgress, encoderEntry } from "../../support/fake-encoders-host.ts";
import { openedNotebook } from "../../support/opened-notebook.ts";

const disk = { encodersBytes: 0, cacheBytes: 0, freeBytes: 1, folder: "/e" };
const here = encoderEntry("default", { source: "embedded", name: "tiny", sizeBytes: 10, languages: ["en"] });
const part = encoderEntry("a/part", { state: "paused", sizeBytes: 30, progress: downloadProgress(1e6) });
const far = encoderEntry("b/far", { state: "available", sizeBytes: null, licence: "Apache-2.0", languages: ["zh"] });
const play = (...actions: EncodersAction[]): EncodersView => actions.reduce(reduceEncoders, EMPTY_VIEW);
const listed: EncodersAction = { type: "listed", entries: [here, part, far], disk };
const names = (view: EncodersView) => rowsOf(view).map((entry) => entry.id);

describe("the list of encoders", () => {
  it("shows what is here first, parts of downloads included, and the keyboard on its first row", () => {
    const view = play(listed);
    expect([names(view), counts(view), view.active]).toEqual([
      ["default", "a/part"],
      { installed: 2, all: 3 },
      "default",
    ]);
    expect(names(reduceEncoders(view, { type: "tab-chosen", tab: "all" }))).toEqual(["default", "a/part", "b/far"]);
  });

  it("is searched by name, owner, licence, family and language, and the keyboard follows", () => {
    const all = play(listed, { type: "tab-chosen", tab: "all" });
    const zh = reduceEncoders(all, { type: "searched", query: "apache ZH" });
    expect([names(zh), zh.active]).toEqual([["b/far"], "b/far"]);
    expect(names(reduceEncoders(all, { type: "searched", query: "nothing" }))).toEqual([]);
  });

  it("keeps what the hub found beside the list while the search stands, each once", () => {
    const found = [far, encoderEntry("c/other", { state: "available" })];
    const view = play(
      listed,
      { type: "searched", query: "xy" },
      { type: "found", query: "xy", entries: found, note: null },
    );
    expect([names(view), view.tab]).toEqual([["b/far", "c/other"], "all"]);
    expect(names(reduceEncoders(view, { type: "searched", query: "" }))).toEqual([
      "default",
      "a/part",
      "b/far",
      "c/other",
    ]);
    const begun = reduceEncoders(view, { type: "changed", entry: { ...found[1]!, state: "downloading" } });
    expect(begun.entries.map((entry) => [entry.id, entry.state])).toContainEqual(["c/other", "downloading"]);
    expect(counts(begun)).toEqual({ installed: 3, all: 4 });
  });

  it("sorts unknown values last both ways, and by the third press not at all", () => {
    const all = play(listed, { type: "tab-chosen", tab: "all" }, { type: "sorted", column: "sizeBytes" });
    const up = reduceEncoders(all, { type: "sorted", column: "sizeBytes" });
    expect([names(all), names(up), reduceEncoders(up, { type: "sorted", column: "sizeBytes" }).sort]).toEqual([
      ["a/part", "default", "b/far"],
      ["default", "a/part", "b/far"],
      null,
    ]);
  });

  it("closes the details and moves the keyboard when their encoder is gone", () => {
    const view = play(listed, { type: "opened", id: "a/part" }, { type: "removed", id: "a/part" });
    expect([view.open, view.active]).toEqual([null, "default"]);
  });

  it("takes progress without moving anything else", () => {
    const progress = downloadProgress(50e6);
    const view = play(listed, { type: "progressed", id: "a/part", progress });
    expect(view.entries).toEqual([here, { ...part, progress }, far]);
  });
});

describe("the words of an encoder", () => {
  it("say each state with a glyph, and a download by file, total, rate and time left", () => {
    const entry = encoderEntry("a/b", { state: "downloading", progress: downloadProgress(81_860_000) });
    expect(progressText(entry)).toBe(
      "model.safetensors 81 of 133 MB · 82 of 134 MB, 2 of 3 files · 4.2 MB/s · 12 s left",
    );
    const word = (state: typeof entry.state, phase: "downloading" | "checking" | "verifying" = "downloading") => {
      const { glyph, word } = stateWords({ ...entry, state, progress: downloadProgress(81_860_000, { phase }) });
      return `${glyph} ${word}`;
    };
    expect([
      word("downloading"),
      word("downloading", "checking"),
      word("downloading", "verifying"),
      word("paused"),
      word("partial"),
      word("failed"),
      word("available"),
      word("ready"),
    ]).toEqual([
      "◐ 61 %",
      "◐ Checking…",
      "◐ Loading once to verify",
      "■ paused at 61 %",
      "■ stopped at 61 %",
      "✕ failed",
      "○ not here",
      "✓ ready",
    ]);
  });

  it("name a row by what decides a choice", () => {
    expect(rowName(here)).toBe("tiny, 384 dimensions, 512 tokens, 10 B, MIT, ready");
    expect([bytesOf(5, 900), bytesOf(1e6, 2e9), languagesText(["multilingual", "a", "b"]), languagesText([])]).toEqual([
      "5 of 900 B",
      "1.0 MB of 2.0 GB",
      "2 languages",
      "–",
    ]);
    expect(
      usesText([
        { kind: "run", path: "/a", name: "a" },
        { kind: "notebook", path: "/b", name: "b.ipynb" },
      ]),
    ).toBe("run a and notebook b.ipynb");
  });
});

describe("the cell that Use writes", () => {
  const cell = encoderCell("intfloat/e5-small-v2", [
    { name: "passage", template: "passage: " },
    { name: "query", template: "query: " },
  ]);
  const doc = (...sources: string[]) => openDocument(openedNotebook(sources));
  const applied = (before: ReturnType<typeof doc>, ops: NotebookOp[]) =>
    ops.reduce(applyOp, before.notebook).cells.map((each) => each.source);

  it("loads the encoder and names its prompts, queries first, with their spaces in sight", () => {
    expect(cell).toBe(
      [
        'import { loadEncoder } from "parallax";',
        "",
        'const encoder = await loadEncoder("intfloat/e5-small-v2");',
        '// await encode(queries, { encoder, prompt: "query" }); // "query: "',
        '// await encode(passages, { encoder, prompt: "passage" }); // "passage: "',
      ].join("\n"),
    );
    const many = Array.from({ length: 6 }, (_, i) => ({ name: `task${i}`, template: `do ${i}: ` }));
    expect(encoderCell("a/b", many).split("\n").at(-1)).toBe("// 3 more prompts: encoder.spec.prompts");
    expect([cell, encoderCell("a/b", many), encoderCell('C:\\models\\"x"', [])].map(isEncoderCell)).toEqual([
      true,
      true,
      true,
    ]);
    expect(isEncoderCell(`${cell}\nawait encoder.dispose();`)).toBe(false);
  });

  it("goes below the active cell, or into it when it is empty", () => {
    const full = doc("first", "second");
    expect(applied(full, writeEncoderCell(full, cell).ops)).toEqual(["first", cell, "second"]);
    const empty = doc("", "second");
    expect(applied(empty, writeEncoderCell(empty, cell).ops)).toEqual([cell, "second"]);
  });

  it("changes the cell of an earlier Use unless somebody edited it", () => {
    const used = doc("first", cell);
    const edit = writeEncoderCell(used, encoderCell("default", []));
    expect([edit.kind, applied(used, edit.ops)]).toEqual(["replaced", ["first", encoderCell("default", [])]]);
    expect(writeEncoderCell(used, cell)).toMatchObject({ kind: "unchanged", ops: [] });
    const edited = doc("first", `${cell}\n// mine\nencoder.spec`);
    expect(writeEncoderCell(edited, cell).kind).toBe("inserted");
  });
});
