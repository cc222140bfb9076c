import { describe, expect, it } from "vitest";
import { catalogueEntry } from "../../kernels/encode/catalogue/catalogue.ts";
import { prefixTemplate } from "../../kernels/encode/prompt-template.ts";
import { recommendedPrompts } from "../../kernels/encode/recommended-prompts.ts";

/** The parts of a spec that come from the catalogue. */
function spec(id: string) {
  const entry = catalogueEntry(id)!;
  const templates = (prefixes: object) =>
    Object.fromEntries(Object.entries(prefixes).map(([name, prefix]) => [name, prefixTemplate(String(prefix))]));
  return {
    name: id,
    catalogue: id,
    prompts: templates(entry.prompts),
    roles: entry.roles,
    taskPrompts: Object.fromEntries(Object.entries(entry.tasks ?? {}).map(([task, sides]) => [task, templates(sides)])),
  };
}
const templatesOf = (id: string, name: string, type: string) => recommendedPrompts(spec(id), { name, type }).templates;

describe("prompts for a task", () => {
  it("are E5's prefixes by side, and “query: ” on both texts of a symmetric task", () => {
    expect(templatesOf("intfloat/e5-small-v2", "anything", "retrieval")).toEqual({
      query: "query: {text}",
      document: "passage: {text}",
    });
    expect(templatesOf("intfloat/e5-small-v2", "STS12", "sts")).toEqual({ text: "query: {text}" });
  });

  it("are BGE's for queries of retrieval only", () => {
    expect(templatesOf("BAAI/bge-small-en-v1.5", "scifact", "retrieval")).toEqual({
      query: "Represent this sentence for searching relevant passages: {text}",
    });
    expect(recommendedPrompts(spec("BAAI/bge-small-en-v1.5"), { name: "STS12", type: "sts" })).toEqual({
      templates: {},
      source: null,
    });
  });

  it("are InstructOR's own for a task, whatever the case of its name", () => {
    for (const name of ["SciFact", "scifact", "scifact-test"])
      expect(templatesOf("hkunlp/instructor-large", name, "retrieval")).toEqual({
        query: "Represent a Scientific query for retrieving a supporting passage; {text}",
        document: "represent the Scientific passage for retrieval; {text}",
      });
    for (const name of ["Banking77Classification", "banking77"])
      expect(recommendedPrompts(spec("hkunlp/instructor-large"), { name, type: "classification" })).toEqual({
        templates: { text: "Represent the bank purpose for classification: {text}" },
        source: "those of hkunlp/instructor-large for Banking77Classification",
      });
    expect(templatesOf("hkunlp/instructor-base", "my own task", "sts")).toEqual({});
  });
});
