import { createHash } from "node:crypto";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { catalogueEntry, entryOfFolder, knownBySize, refusedModel } from "../../kernels/encode/catalogue/catalogue.ts";
import { INSTRUCTOR_BASE, INSTRUCTOR_LARGE, INSTRUCTOR_XL } from "../../kernels/encode/catalogue/instructor-prompts.ts";
import { KNOWN_FILES } from "../../kernels/encode/catalogue/known-files.ts";
import { CATALOGUE } from "../../kernels/encode/catalogue/models.ts";
import { readModelFolder } from "../../kernels/encode/encoder-spec.ts";
import { openEncoder } from "../../kernels/encode/open-encoder.ts";
import { inThreadCompute } from "../../kernels/graph/compute.ts";
import { writeTinyFolder } from "../support/tiny-folder.ts";

const root = mkdtempSync(path.join(tmpdir(), "parallax-catalogue-"));
process.env.PARALLAX_HOME = path.join(root, "home");
const compute = inThreadCompute();
afterAll(async () => {
  await compute.dispose();
  rmSync(root, { recursive: true, force: true });
});

describe("the catalogue", () => {
  it("has each model once, with what is needed to run it", () => {
    const ids = CATALOGUE.map(({ id }) => id.toLowerCase());
    expect(new Set(ids).size).toBe(ids.length);
    expect(CATALOGUE.length).toBeGreaterThanOrEqual(36);
    for (const entry of CATALOGUE) {
      expect(entry.id).toMatch(/^[\w.-]+\/[\w.-]+$/);
      expect(entry.licence.length).toBeGreaterThan(2);
      expect(entry.languages.length).toBeGreaterThan(0);
      for (const name of Object.values(entry.roles)) if (name !== null) expect(entry.prompts).toHaveProperty(name);
      expect(entry.needsPrompt).toBe(Object.keys(entry.tasks ?? {}).length > 0 || "passage" in entry.prompts);
    }
  });

  it("keeps prompts byte for byte", () => {
    expect(catalogueEntry("baai/BGE-small-en-v1.5")?.prompts).toEqual({
      query: "Represent this sentence for searching relevant passages: ",
    });
    expect(catalogueEntry("BAAI/bge-large-zh")?.prompts.query).toBe("为这个句子生成表示以用于检索相关文章：");
    expect(catalogueEntry("intfloat/e5-base-v2")?.prompts).toEqual({ query: "query: ", passage: "passage: " });
    expect(INSTRUCTOR_LARGE.SciFact).toEqual({
      query: "Represent a Scientific query for retrieving a supporting passage; ",
      document: "represent the Scientific passage for retrieval; ",
    });
    expect(INSTRUCTOR_XL.SciFact).toEqual({
      query: "Represent the Scientific queries for retrieving a supporting passage: ",
      document: "represent the scientific paragraph for retrieval: ",
    });
    expect(INSTRUCTOR_BASE.STS12).toEqual({ text: "Represent the statement, " });
    expect(INSTRUCTOR_LARGE.Banking77Classification).toEqual({
      text: "Represent the bank purpose for classification: ",
    });
    // All strings together: none can change unnoticed.
    const all = [INSTRUCTOR_BASE, INSTRUCTOR_LARGE, INSTRUCTOR_XL].map((tasks) => Object.entries(tasks).sort());
    expect(all.flat().flatMap(([, sides]) => Object.values(sides)).length).toBe(313);
    expect(createHash("sha256").update(JSON.stringify(all)).digest("hex").slice(0, 16)).toMatchInlineSnapshot(
      `"13d70f8643332f45"`,
    );
  });

  const source = path.resolve(import.meta.dirname, "../../../shared/data/instructions.json");
  it.skipIf(!existsSync(source))("holds every InstructOR string of the collection, and no other", () => {
    const rows = JSON.parse(readFileSync(source, "utf8")) as {
      task: string;
      model: string;
      instructions: Record<string, string | null>;
    }[];
    const tables = { base: INSTRUCTOR_BASE, large: INSTRUCTOR_LARGE, xl: INSTRUCTOR_XL };
    let checked = 0;
    for (const { task, model, instructions } of rows) {
      if (!model.startsWith("hkunlp/instructor-")) continue;
      const sizes = model.endsWith("*")
        ? Object.values(tables)
        : [tables[model.split("-").at(-1) as keyof typeof tables]];
      for (const table of sizes)
        for (const [side, text] of Object.entries(instructions)) {
          if (text === null) continue;
          expect(table[task]).toHaveProperty(side === "corpus" ? "document" : side, text);
          checked++;
        }
    }
    expect(checked).toBe(313);
  });

  it("knows the sizes and digests of official files", () => {
    expect(knownBySize(90868376)).toEqual([
      { id: "sentence-transformers/all-MiniLM-L6-v2", file: KNOWN_FILES["sentence-transformers/all-MiniLM-L6-v2"][0] },
    ]);
    for (const files of Object.values(KNOWN_FILES))
      for (const { sha256, bytes } of files) expect([sha256.length, bytes > 1e7]).toEqual([64, true]);
  });

  it("finds a folder by the ways in which people name it", () => {
    const id = (folder: string) => entryOfFolder(folder)?.id;
    expect(id("/models/bge-small-en-v1.5")).toBe("BAAI/bge-small-en-v1.5");
    expect(id("/models/BAAI/bge-base-zh")).toBe("BAAI/bge-base-zh");
    expect(id("/cache/hub/models--intfloat--e5-small-v2/snapshots/ab12")).toBe("intfloat/e5-small-v2");
    expect(id("/data/hkunlp_instructor-large")).toBe("hkunlp/instructor-large");
    expect(id("/models/my-own-encoder")).toBeUndefined();
  });

  it("is told in the guide as it is", () => {
    const guide = readFileSync(path.resolve(import.meta.dirname, "../../docs/encoders.md"), "utf8");
    for (const { id, family, dense, dimensions, maxTokens, pooling, normalise, tasks, prompts, licence } of CATALOGUE) {
      const how = `${pooling}${dense ? ", dense" : ""}${normalise ? "" : ", not normalised"}`;
      const said = tasks
        ? "one a task, outside the mean"
        : Object.entries(prompts)
            .map(([name, prefix]) => `${name} \`${prefix}\``)
            .join(", ") || "none";
      expect(guide).toContain(
        `| ${id} | ${family} | ${dense?.out ?? dimensions} | ${maxTokens} | ${how} | ${said} | ${licence} |`,
      );
    }
  });

  it("says why a known model cannot run", () => {
    expect(refusedModel("intfloat/e5-mistral-7b-instruct")?.why).toContain("decoder of 7 billion weights");
  });
});

describe("a folder of a known model", () => {
  /** A tiny stand-in whose folder is said to hold a known model. */
  function folderOf(name: string, options: Parameters<typeof writeTinyFolder>[2] = {}): string {
    const folder = path.join(root, name);
    writeTinyFolder(folder, "bert", options);
    return folder;
  }

  it("gets the prompts that its files leave out", () => {
    const spec = readModelFolder(folderOf("a"), { model: "intfloat/e5-small-v2" });
    expect(spec).toMatchObject({
      catalogue: "intfloat/e5-small-v2",
      prompts: { query: "query: {text}", passage: "passage: {text}" },
      roles: { query: "query", document: "passage", text: "query" },
      needsPrompt: true,
      licence: "MIT",
      contradictions: [],
    });
  });

  it("that says something else than the catalogue is used, and both are shown", () => {
    const folder = folderOf("b", { pooling: "pooling_mode_cls_token", prompts: { query: "search: " } });
    const spec = readModelFolder(folder, { model: "intfloat/e5-small-v2" });
    expect(spec.pooling).toBe("cls");
    expect(spec.prompts.query).toBe("search: {text}");
    expect(spec.contradictions).toEqual([
      { field: "pooling", folder: "cls", catalogue: "mean", used: "folder" },
      { field: 'prompt "query"', folder: "search: {text}", catalogue: "query: {text}", used: "folder" },
    ]);
    expect(spec.notes[0]).toBe(
      "pooling: the folder says cls, the catalogue (intfloat/e5-small-v2) says mean; the folder's is used.",
    );
    expect(readModelFolder(folder, { model: "intfloat/e5-small-v2", pooling: "mean" }).contradictions[0]?.used).toBe(
      "user",
    );
  });

  it("is not taken for the known model when its shape is another one", () => {
    expect(readModelFolder(folderOf("bge-small-en-v1.5")).catalogue).toBeNull();
  });

  it("without a list of modules is pooled as the catalogue says", () => {
    const folder = folderOf("c");
    rmSync(path.join(folder, "modules.json"));
    const spec = readModelFolder(folder, { model: "BAAI/bge-small-en" });
    expect(spec).toMatchObject({ pooling: "cls", normalise: true, maxTokens: 64 });
  });

  it("whose name is in no catalogue is refused by that name", () => {
    expect(() => readModelFolder(folderOf("d"), { model: "nobody/nothing" })).toThrow(
      /"nobody\/nothing", which is not/,
    );
  });

  it("that needs a prompt warns of texts without one, and names the fix", async () => {
    const encoder = await openEncoder(folderOf("e"), { compute, model: "intfloat/e5-small-v2" });
    const bare = await encoder.encode(["the dog"]);
    expect(bare.report.warnings[0]).toContain('encode(texts, { prompt: "query" })');
    expect((await encoder.encode(["the dog"], { prompt: "query" })).report.warnings).toEqual([]);
    await encoder.dispose();
  });
});
