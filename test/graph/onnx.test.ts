import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { GraphBuilder } from "../../kernels/graph/builder.ts";
import { type Graph, int } from "../../kernels/graph/ir.ts";
import { readModelFile } from "../../kernels/graph/model-file.ts";
import { decodeModel } from "../../kernels/graph/onnx-read.ts";
import { encodeModel } from "../../kernels/graph/onnx-write.ts";
import { type DType, type Tensor, tensor } from "../../kernels/graph/tensor.ts";
import { buildEncoderGraph } from "../../kernels/model/encoder-graph.ts";
import { counterUniform, randomBertWeights, TINY, TINY_BERT } from "../../kernels/model/random.ts";
import { buildTrainingStep } from "../../kernels/model/training.ts";
import { ParallaxError } from "../../kernels/protocol/errors.ts";
import { plainInfoNce } from "../support/plain-loss.ts";

function encoderGraph(): Graph {
  const options = { pooling: "mean", normalise: true, weightsAs: "initializers" } as const;
  return buildEncoderGraph(TINY, randomBertWeights(), options);
}

/** What a call throws: its code, or what else happened. */
function codeOf(call: () => unknown): string {
  try {
    call();
  } catch (error) {
    return error instanceof ParallaxError ? error.code : `not ours: ${String(error)}`;
  }
  return "nothing thrown";
}

// Protobuf by hand, so that the reader is not only tested against our own writer.
const varint = (value: number): number[] =>
  value < 128 ? [value] : [(value % 128) | 128, ...varint(Math.floor(value / 128))];
const field = (number: number, wire: number, ...bytes: number[]) => [...varint(number * 8 + wire), ...bytes];
const whole = (number: number, value: number) => field(number, 0, ...varint(value));
const bytes = (number: number, content: number[]) => field(number, 2, ...varint(content.length), ...content);
const text = (number: number, content: string) => bytes(number, [...new TextEncoder().encode(content)]);
const float32 = (...values: number[]) => [...new Uint8Array(Float32Array.from(values).buffer)];
const model = (graph: number[]) => Uint8Array.from([...whole(1, 8), ...bytes(7, graph), ...bytes(8, whole(2, 17))]);
const initializer = (...parts: number[][]) => model(bytes(5, [...text(8, "w"), ...parts.flat()]));

describe("writing and reading", () => {
  it.each([
    ["an encoder", encoderGraph],
    [
      "a training step",
      () =>
        buildTrainingStep(
          { family: "bert", config: TINY_BERT },
          { pooling: "max", normalise: true, ...plainInfoNce(0.05, true) },
        ).graphs.whole,
    ],
  ])("gives back %s as it was", (_, make) => {
    const graph = make();
    expect(decodeModel(encodeModel(graph))).toEqual(graph);
  });

  it("keeps every type, every kind of attribute, open sizes and other domains", () => {
    const inner: Graph = {
      name: "then",
      opset: 0,
      inputs: [],
      outputs: [{ name: "r", dtype: "bool", shape: [] }],
      initializers: new Map(),
      nodes: [],
      values: new Map(),
    };
    const tensors: [DType, Tensor][] = [
      ["float32", tensor("float32", [2], Float32Array.of(1.5, -0))],
      ["float64", tensor("float64", [1, 1], Float64Array.of(Math.PI))],
      ["float16", tensor("float16", [2], Uint16Array.of(15360, 31744))],
      ["bfloat16", tensor("bfloat16", [1], Uint16Array.of(16256))],
      ["int64", tensor("int64", [2], BigInt64Array.of(-(2n ** 63n), 2n ** 63n - 1n))],
      ["int32", tensor("int32", [], Int32Array.of(-7))],
      ["int8", tensor("int8", [3], Int8Array.of(-1, 0, 127))],
      ["uint8", tensor("uint8", [1], Uint8Array.of(255))],
      ["bool", tensor("bool", [2], Uint8Array.of(0, 1))],
    ];
    const graph: Graph = {
      name: "everything é",
      opset: 21,
      domains: { "com.microsoft": 1 },
      inputs: [
        { name: "x", dtype: "float32", shape: ["b", 3, "?2"] },
        { name: "y", dtype: "int64", shape: [], unknownRank: true },
      ],
      outputs: [{ name: "z", dtype: "float64", shape: [0] }],
      initializers: new Map(tensors.map(([dtype, value]) => [`w:${dtype}`, value])),
      nodes: [
        {
          op: "Odd",
          domain: "com.microsoft",
          name: "n",
          inputs: ["x", "", "y"],
          outputs: ["z", ""],
          attributes: {
            i: int(-3),
            big: int(Number.MAX_SAFE_INTEGER),
            f: { kind: "float", value: 0.5 },
            s: { kind: "string", value: "ü" },
            t: { kind: "tensor", value: tensor("float32", [1], Float32Array.of(2)) },
            g: { kind: "graph", value: inner },
            is: { kind: "ints", value: [1, -2, 3] },
            fs: { kind: "floats", value: [] },
            ss: { kind: "strings", value: ["a", ""] },
          },
        },
      ],
      values: new Map(),
    };
    expect(decodeModel(encodeModel(graph))).toEqual(graph);
  });

  it("reads numbers from the typed lists of older writers", () => {
    const read = (...parts: number[][]) => decodeModel(initializer(...parts)).initializers.get("w");
    expect([
      read(whole(1, 2), whole(2, 1), bytes(4, float32(1, 2))), // packed
      read(whole(1, 2), whole(2, 1), field(4, 5, ...float32(1)), field(4, 5, ...float32(2))), // one by one
      read(whole(1, 2), whole(2, 7), bytes(7, [...varint(5), ...varint(300)])),
      read(whole(1, 1), whole(2, 9), bytes(5, [1])),
      read(whole(1, 1), whole(2, 10), whole(5, 15360)),
      read(whole(1, 1), whole(2, 11), bytes(10, [...new Uint8Array(Float64Array.of(2.5).buffer)])),
    ]).toEqual([
      tensor("float32", [2], Float32Array.of(1, 2)),
      tensor("float32", [2], Float32Array.of(1, 2)),
      tensor("int64", [2], BigInt64Array.of(5n, 300n)),
      tensor("bool", [1], Uint8Array.of(1)),
      tensor("float16", [1], Uint16Array.of(15360)),
      tensor("float64", [1], Float64Array.of(2.5)),
    ]);
  });
});

describe("files that are no models", () => {
  const whole_ = encodeModel(encoderGraph());

  it("refuses a model cut off at every 97th byte", () => {
    const codes = new Set<string>();
    for (let length = 0; length < whole_.length; length += 97)
      codes.add(codeOf(() => decodeModel(whole_.subarray(0, length))));
    expect([...codes]).toEqual(["onnx.broken-file"]);
  });

  it("never hangs and never throws anything foreign on damaged bytes", () => {
    const start = Date.now();
    const foreign: string[] = [];
    for (let round = 0; round < 300; round++) {
      const copy = whole_.slice();
      for (let k = 0; k < 4; k++) {
        const at = Math.floor(counterUniform(round, 2 * k) * copy.length);
        copy[at] = Math.floor(counterUniform(round, 2 * k + 1) * 256);
      }
      const code = codeOf(() => decodeModel(copy));
      if (!/^(onnx\.|nothing thrown)/.test(code)) foreign.push(`${round}: ${code}`);
    }
    expect(foreign).toEqual([]);
    expect(Date.now() - start).toBeLessThan(20_000);
  });

  it.each<[string, Uint8Array]>([
    ["an empty file", new Uint8Array(0)],
    ["a text", new TextEncoder().encode("<!doctype html><title>Not found</title>")],
    ["zeros", new Uint8Array(1000)],
    ["a number of eleven bytes", Uint8Array.from([8, ...new Array(11).fill(255)])],
    ["a field that claims 2^60 bytes", Uint8Array.from([58, 128, 128, 128, 128, 128, 128, 128, 128, 16, 1])],
    ["no operator version", Uint8Array.from([...whole(1, 8), ...bytes(7, text(2, "g"))])],
    [
      "a weight of 2^60 numbers in 4 bytes",
      initializer(whole(1, 2 ** 30), whole(1, 2 ** 30), whole(2, 1), bytes(9, float32(1))),
    ],
    ["a weight with fewer numbers than its shape", initializer(whole(1, 3), whole(2, 1), bytes(9, float32(1, 2)))],
    [
      "a weight with a negative size",
      initializer(field(1, 0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1), whole(2, 1)),
    ],
    ["a name that is not UTF-8", model(bytes(2, [0xff, 0xfe]))],
    ["a node without an operator", model(bytes(1, text(1, "x")))],
  ])("refuses %s as broken", (_, file) => {
    expect(codeOf(() => decodeModel(file))).toBe("onnx.broken-file");
  });

  it("refuses graphs nested without end", () => {
    let graph = text(2, "g");
    for (let depth = 0; depth < 12; depth++)
      graph = bytes(1, [...text(4, "If"), ...bytes(5, [...text(1, "then"), ...bytes(6, graph), ...whole(20, 5)])]);
    expect(codeOf(() => decodeModel(model(graph)))).toBe("onnx.broken-file");
  });

  it("says which type it cannot hold", () => {
    expect(() => decodeModel(initializer(whole(1, 1), whole(2, 8)))).toThrow('The weight "w" has ONNX type number 8');
  });

  it("keeps an attribute named like a property of objects as data", () => {
    const node = bytes(1, [
      ...text(4, "Relu"),
      ...bytes(5, [...text(1, "__proto__"), ...whole(3, 1), ...whole(20, 2)]),
    ]);
    const { attributes } = decodeModel(model(node)).nodes[0];
    expect([Object.keys(attributes), Object.getPrototypeOf(attributes) === Object.prototype]).toEqual([
      ["__proto__"],
      true,
    ]);
  });
});

describe("weights beside the file", () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), "parallax-onnx-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function withExternal(location: string, offset = 8, length = 12): string {
    const b = new GraphBuilder("external");
    const w = b.initializer("w", tensor("float32", [3], Float32Array.of(1, 2, 3)));
    b.output(b.add(b.input("x", "float32", ["b", 3]), w), "y");
    const file = path.join(folder, "model", "model.onnx");
    mkdirSync(path.dirname(file), { recursive: true });
    writeFileSync(file, encodeModel(b.build(), { externalData: new Map([["w", { location, offset, length }]]) }));
    return file;
  }
  const data = () => Uint8Array.from([0, 0, 0, 0, 0, 0, 0, 0, ...float32(4, 5, 6)]);

  it("are read from their place", () => {
    const file = withExternal("data/w.bin");
    mkdirSync(path.join(folder, "model/data"));
    writeFileSync(path.join(folder, "model/data/w.bin"), data());
    expect(readModelFile(file).initializers.get("w")).toEqual(tensor("float32", [3], Float32Array.of(4, 5, 6)));
  });

  it.each(["../w.bin", "/etc/passwd", "data/../../w.bin", "..\\w.bin", "C:\\w.bin", "", "w\0.bin"])(
    "are refused at %j",
    (location) => {
      writeFileSync(path.join(folder, "w.bin"), data());
      expect(codeOf(() => readModelFile(withExternal(location)))).toBe("onnx.external-escape");
    },
  );

  it("are refused behind a link that leads out of the folder", () => {
    const file = withExternal("w.bin");
    writeFileSync(path.join(folder, "w.bin"), data());
    symlinkSync(path.join(folder, "w.bin"), path.join(folder, "model/w.bin"));
    expect(codeOf(() => readModelFile(file))).toBe("onnx.external-escape");
  });

  it("are refused when their file is missing or too short", () => {
    const file = withExternal("w.bin");
    expect(codeOf(() => readModelFile(file))).toBe("onnx.external-missing");
    writeFileSync(path.join(folder, "model/w.bin"), data().subarray(0, 19));
    expect(codeOf(() => readModelFile(file))).toBe("onnx.broken-file");
  });

  it("are refused when the model does not come from a folder", () => {
    const b = new GraphBuilder("external");
    b.output(b.neg(b.initializer("w", tensor("float32", [3], Float32Array.of(1, 2, 3)))), "y");
    const bytes_ = encodeModel(b.build(), {
      externalData: new Map([["w", { location: "w.bin", offset: 0, length: 12 }]]),
    });
    expect(codeOf(() => decodeModel(bytes_))).toBe("onnx.external-data");
  });
});
