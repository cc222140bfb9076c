import { describe, expect, it } from "vitest";
import { bytesOf, previewLine, renderValue, typeOf } from "../../kernels/api/describe-value.ts";
import { ProgressMeter } from "../../kernels/api/progress-meter.ts";
import { previewBundle, valueBundle } from "../../kernels/api/value-bundle.ts";
import { MIME } from "../../kernels/protocol/display.ts";

class Probe {
  readonly weights = new Float32Array(3);
}

describe("typeOf", () => {
  it.each([
    [{ n: 200, dimensions: 384, data: new Float32Array(200 * 384) }, "Float32 [200, 384]"],
    [{ dtype: "int64", dims: [2, 3, 1], data: new BigInt64Array(6) }, "BigInt64 [2, 3, 1]"],
    [new Float64Array(5), "Float64 [5]"],
    [Array.from({ length: 2000 }, () => "text"), "string[2000]"],
    [[{ id: 1 }, { id: 2 }], "object[2]"],
    [[1, "a"], "mixed[2]"],
    [[], "array[0]"],
    [[new Probe()], "Probe[1]"],
    [{ id: 1, text: "a" }, "{id, text}"],
    [Object.fromEntries("abcdefgh".split("").map((k) => [k, 0])), "{a, b, c, d, e, f, …}"],
    [new Map([[1, 2]]), "Map(1)"],
    [new Set(), "Set(0)"],
    [new Probe(), "Probe"],
    [Probe, "class Probe"],
    [() => 0, "function"],
    [null, "null"],
    [undefined, "undefined"],
    [5n, "bigint"],
    [new Date(0), "Date"],
    [new Error("x"), "Error"],
    [new Proxy({}, {}), "Proxy"],
    [new ArrayBuffer(8), "ArrayBuffer [8]"],
    [Object.create(null), "{}"],
  ])("of %o", (value, type) => {
    expect(typeOf(value)).toBe(type);
  });

  it("runs no code of the value", () => {
    const touched: string[] = [];
    const sly = {
      get data() {
        touched.push("data");
        return 1;
      },
      get [Symbol.toStringTag]() {
        touched.push("tag");
        return "x";
      },
    };
    expect([typeOf(sly), bytesOf(sly) !== null, touched]).toEqual(["{data}", true, []]);
  });
});

describe("bytesOf", () => {
  it("is exact for buffers and near for the rest", () => {
    expect(bytesOf(new Float32Array(1000))).toBe(4000);
    expect(bytesOf("abcd")).toBe(8);
    const rows = Array.from({ length: 10_000 }, (_, i) => ({ id: i, text: "x".repeat(100) }));
    // 16 for the object, 8 for the number, 200 for the text.
    expect(bytesOf(rows)! / (10_000 * 224)).toBeCloseTo(1, 1);
    expect(bytesOf(() => 0)).toBeNull();
  });

  it("costs no time on giants and cycles", () => {
    const cycle: unknown[] = [new Array(1e6).fill("text")];
    cycle.push(cycle);
    const started = performance.now();
    expect(bytesOf(cycle)! / 8e6).toBeCloseTo(1, 1);
    expect(performance.now() - started).toBeLessThan(200);
  });
});

describe("previews", () => {
  it("fits a line, and says when it leaves something out", () => {
    expect(previewLine({ n: 3, dimensions: 5, data: Float32Array.from({ length: 15 }, (_, i) => i / 3) })).toEqual({
      text: "[[0, 0.3333, 0.6667, 1, …], [1.667, 2, 2.333, 2.667, …], …]",
      cut: true,
    });
    expect(previewLine(["a", "b"])).toEqual({ text: "[ 'a', 'b' ]", cut: false });
    expect(previewLine("x".repeat(1000)).text.length).toBeLessThanOrEqual(120);
    expect(previewLine("x".repeat(1000)).cut).toBe(true);
    expect(renderValue(Array.from({ length: 1e5 }, (_, i) => i)).text.length).toBeLessThan(20_002);
  });

  it("names what it previews", () => {
    expect(previewBundle([1, 2], "pair")).toEqual({
      [MIME.value]: { version: 1, name: "pair", type: "number[2]", bytes: 32, preview: "[ 1, 2 ]", cut: false },
      [MIME.plain]: "pair = [ 1, 2 ]",
    });
  });

  it("cuts long tables and says how many rows there are", () => {
    const rows = Array.from({ length: 5000 }, (_, i) => ({ i, text: "t".repeat(2000) }));
    const bundle = valueBundle(rows) as Record<string, unknown>;
    const table = bundle[MIME.table] as { rows: unknown[][]; total: number };
    expect([table.rows.length, table.total, String(table.rows[0]![1]).length]).toEqual([200, 5000, 501]);
    expect(bundle[MIME.plain]).toMatch(/ of 5,000 rows are shown\./);
  });
});

describe("ProgressMeter", () => {
  it("never goes back, sends few reports, and works out rate and time left", () => {
    const meter = new ProgressMeter();
    const at = (done: number, now: number) => meter.next({ stage: "Encoding", done, total: 100, unit: "texts" }, now);
    expect(at(0, 0)).toEqual({ stage: "Encoding", done: 0, total: 100, unit: "texts" });
    expect(at(5, 50)).toBeUndefined();
    expect(at(20, 1000)).toEqual({ stage: "Encoding", done: 20, total: 100, unit: "texts", rate: 20, etaMs: 4000 });
    expect(at(10, 2000)).toMatchObject({ done: 20 });
    expect(at(100, 2010)).toMatchObject({ done: 100, etaMs: 0 });
    expect(meter.next({ stage: "Layout", done: 1, total: 0, unit: "epochs", note: "stage 2 of 2" }, 2011)).toEqual({
      stage: "Layout",
      done: 1,
      total: 0,
      unit: "epochs",
      note: "stage 2 of 2",
    });
  });
});
