import { describe, expect, it } from "vitest";
import { GraphBuilder, type Value } from "../../kernels/graph/builder.ts";
import type { Dim } from "../../kernels/graph/ir.ts";
import { int, ints } from "../../kernels/graph/ir.ts";
import { SHAPE_RULES } from "../../kernels/graph/shapes.ts";
import { tensor } from "../../kernels/graph/tensor.ts";

const builder = () => {
  const b = new GraphBuilder("shapes");
  const f = (name: string, ...shape: Dim[]) => b.input(name, "float32", shape);
  const i = (name: string, ...shape: Dim[]) => b.input(name, "int64", shape);
  return { b, f, i };
};
type Make = (t: ReturnType<typeof builder>) => Value | readonly Value[];

const GOOD: [string, Make, (readonly Dim[])[]][] = [
  ["Add", ({ b, f }) => b.add(f("x", "b", 1, 4), f("y", "t", 1)), [["b", "t", 4]]],
  ["Add", ({ b, f }) => b.add(f("x", "b"), f("y", "t")), [["max(b,t)"]]],
  ["Sum", ({ b, f }) => b.op("Sum", [f("x", 3), f("y", 2, 1), f("z")]), [[2, 3]]],
  ["Where", ({ b, f }) => b.where(b.greater(f("x", "b", 1), 0), f("y", "b", 3), 0), [["b", 3]]],
  ["MatMul", ({ b, f }) => b.matMul(f("x", "b", 12, "t", 32), f("y", "b", 12, 32, "t")), [["b", 12, "t", "t"]]],
  ["MatMul", ({ b, f }) => b.matMul(f("x", 4), f("y", 4, 3)), [[3]]],
  ["Gemm", ({ b, f }) => b.gemm(f("x", "n", 4), f("y", 3, 4), f("z", 3), { transB: true }), [["n", 3]]],
  ["Transpose", ({ b, f }) => b.transpose(f("x", "b", "t", 4), [2, 0, 1]), [[4, "b", "t"]]],
  ["Reshape", ({ b, f }) => b.reshape(f("x", "b", "t", 4), [-1, 4]), [["b*t", 4]]],
  ["Reshape", ({ b, f }) => b.reshape(f("x", "b", "t", 12), [0, 0, 3, 4]), [["b", "t", 3, 4]]],
  [
    "Reshape",
    ({ b, f }) => b.reshape(b.reshape(f("x", "b", "t", 4), [-1, 4]), b.shapeValue(["b", "t", 4])),
    [["b", "t", 4]],
  ],
  ["Unsqueeze", ({ b, f }) => b.unsqueeze(f("x", "b", 3), [0, -1]), [[1, "b", 3, 1]]],
  ["Squeeze", ({ b, f }) => b.squeeze(f("x", "b", 1, 3), [1]), [["b", 3]]],
  ["Concat", ({ b, f }) => b.concat([f("x", "b", 2), f("y", "b", 3)], 1), [["b", 5]]],
  ["Concat", ({ b, f }) => b.concat([f("x", "b"), f("y", "b")], 0), [["2*b"]]],
  [
    "Split",
    ({ b, f }) => b.split(f("x", "2*b", 3), 2, 0),
    [
      ["b", 3],
      ["b", 3],
    ],
  ],
  ["Slice", ({ b, f }) => b.slice(f("x", 5, "t"), 0, 1, -1), [[3, "t"]]],
  ["Slice", ({ b, f, i }) => b.slice(f("x", 512, 4), 0, 0, b.shapeOf(i("ids", "b", "t"), 1, 2)), [["t", 4]]],
  ["Gather", ({ b, f, i }) => b.gather(f("x", 100, 8), i("ids", "b", "t")), [["b", "t", 8]]],
  ["GatherElements", ({ b, f, i }) => b.gatherElements(f("x", "b", 8), i("ids", "b", 2), 1), [["b", 2]]],
  [
    "LayerNormalization",
    ({ b, f }) => b.op("LayerNormalization", [f("x", "n", 4), f("s", 4)], {}, 3),
    [
      ["n", 4],
      ["n", 1],
      ["n", 1],
    ],
  ],
  ["ReduceSum", ({ b, f }) => b.reduceSum(f("x", "b", "t", 4), [1]), [["b", 4]]],
  ["ReduceSum", ({ b, f }) => b.reduceSum(f("x", "b", "t"), undefined, true), [[1, 1]]],
  ["ReduceMax", ({ b, f }) => b.op("ReduceMax", [f("x", "b", 3)], { axes: ints([-1]), keepdims: int(1) }), [["b", 1]]],
  ["ArgMax", ({ b, f }) => b.op("ArgMax", [f("x", "b", 3)], { axis: int(1), keepdims: int(0) }), [["b"]]],
  ["Cast", ({ b, i }) => b.cast(i("x", "b"), "float32"), [["b"]]],
  ["ConstantOfShape", ({ b, f }) => b.filled(b.shapeOf(f("x", "b", 3)), 1), [["b", 3]]],
  ["Expand", ({ b, f }) => b.expand(f("x", 1, 3), b.shapeOf(f("y", "b", 3))), [["b", 3]]],
  ["Pad", ({ b, f }) => b.pad(f("x", "b", 3), [0, 1], [0, 2]), [["b", 6]]],
  [
    "TopK",
    ({ b, f }) => Object.values(b.topK(f("x", "n", 50), 5)),
    [
      ["n", 5],
      ["n", 5],
    ],
  ],
  ["Shape", ({ b, f }) => b.shapeOf(f("x", "b", "t", 4), 1), [[2]]],
  ["Size", ({ b, f }) => b.op("Size", [f("x", "b")]), [[]]],
  ["EyeLike", ({ b, f }) => b.eyeLike(f("x", "b", "b")), [["b", "b"]]],
  ["NonZero", ({ b, f }) => b.op("NonZero", [f("x", "b", 3)]), [[2, "?1"]]],
  [
    "Constant",
    ({ b }) => b.op("Constant", [], { value: { kind: "tensor", value: tensor("float32", [2], new Float32Array(2)) } }),
    [[2]],
  ],
  [
    "Range",
    ({ b, f }) => b.op("Range", [b.scalar(0, "int64"), b.squeeze(b.shapeOf(f("x", "t")), [0]), b.scalar(1, "int64")]),
    [["t"]],
  ],
  [
    "Dropout",
    ({ b, f }) => b.op("Dropout", [f("x", "b", 3)], {}, 2),
    [
      ["b", 3],
      ["b", 3],
    ],
  ],
  [
    "Mul",
    ({ b, f }) => b.reshape(f("x", "b", "t"), b.mul(b.shapeOf(f("y", "b", "t")), b.integers([1, 1]))),
    [["b", "t"]],
  ],
];
/** Operators whose result has the first input's shape. */
const SAME = [
  "Identity",
  "Neg",
  "Sqrt",
  "Exp",
  "Log",
  "Erf",
  "Tanh",
  "Sigmoid",
  "Relu",
  "Reciprocal",
  "Abs",
  "Sign",
  "Floor",
];
SAME.push("Softmax", "LogSoftmax", "Gelu", "Clip", "Trilu", "CumSum", "ScatterND", "ScatterElements", "Not");
const PAIRS = [
  "Sub",
  "Mul",
  "Div",
  "Pow",
  "Max",
  "Min",
  "And",
  "Or",
  "Equal",
  "Greater",
  "Less",
  "GreaterOrEqual",
  "LessOrEqual",
];
const REDUCE = ["ReduceMean", "ReduceMin", "ReduceSumSquare", "ReduceL2", "ReduceLogSumExp", "ArgMin"];

describe("shape inference", () => {
  for (const [op, make, shapes] of GOOD)
    it(`${op} gives ${JSON.stringify(shapes)}`, () => {
      const made = make(builder());
      expect((Array.isArray(made) ? made : [made]).map((value: Value) => value.shape)).toEqual(shapes);
    });

  it.each(SAME)("%s keeps the shape", (op) => {
    const { b, f } = builder();
    expect(b.op(op, [f("x", "b", 3)])[0].shape).toEqual(["b", 3]);
  });

  it.each(PAIRS)("%s broadcasts", (op) => {
    const { b, f } = builder();
    expect(b.op(op, [f("x", "b", 1), f("y", 3)])[0].shape).toEqual(["b", 3]);
  });

  it.each(REDUCE)("%s drops the axis", (op) => {
    const { b, f } = builder();
    const attributes = op.startsWith("Arg") ? { axis: int(1), keepdims: int(0) } : { keepdims: int(0) };
    expect(b.op(op, [f("x", "b", 3), b.integers([1])], attributes)[0].shape).toEqual(["b"]);
  });

  it("has a test for every operator", () => {
    const tested = new Set([...GOOD.map(([op]) => op), ...SAME, ...PAIRS, ...REDUCE]);
    expect([...SHAPE_RULES.keys()].filter((op) => !tested.has(op))).toEqual([]);
  });
});

const BAD: [string, Make, string[]][] = [
  ["Add", ({ b, f }) => b.add(f("x", "b", 3), f("y", 4)), ["[b, 3]", "[4]"]],
  ["Add with two types", ({ b, f, i }) => b.op("Add", [f("x", 3), i("y", 3)]), ["float32", "int64"]],
  ["MatMul", ({ b, f }) => b.matMul(f("x", "b", 384), f("y", 128, 64)), ["[b, 384]", "[128, 64]"]],
  ["MatMul of batches", ({ b, f }) => b.matMul(f("x", 2, 3, 4), f("y", 5, 4, 3)), ["[2]", "[5]"]],
  [
    "Gemm",
    ({ b, f }) => b.gemm(f("x", "n", 384), f("y", 384, 128), undefined, { transB: true }),
    ["[n, 384]", "[384, 128] transposed"],
  ],
  ["Gemm of a batch", ({ b, f }) => b.gemm(f("x", 2, 3, 4), f("y", 4, 3)), ["[2, 3, 4]"]],
  ["Gemm with a wrong bias", ({ b, f }) => b.gemm(f("x", "n", 4), f("y", 4, 3), f("z", 5)), ["[n, 3]", "[5]"]],
  ["Transpose", ({ b, f }) => b.transpose(f("x", 2, 3), [0, 0]), ["[0, 0]", "[2, 3]"]],
  ["Reshape", ({ b, f }) => b.reshape(f("x", 2, 3), [4, 2]), ["[2, 3]", "[4, 2]"]],
  ["Reshape with a rest", ({ b, f }) => b.reshape(f("x", 2, 3), [-1, 4]), ["[2, 3]", "[-1, 4]"]],
  ["Squeeze", ({ b, f }) => b.squeeze(f("x", 2, 3), [0]), ["[2, 3]"]],
  ["Concat", ({ b, f }) => b.concat([f("x", 2, 3), f("y", 2, 4)], 0), ["[2, 3]", "[2, 4]"]],
  ["Split", ({ b, f }) => b.op("Split", [f("x", 5), b.integers([2, 2])], {}, 2), ["[5]", "[2, 2]"]],
  ["Gather on an axis that is not there", ({ b, f, i }) => b.gather(f("x", 5), i("y", 2), 1), ["axis 1", "1 axes"]],
  ["LayerNormalization", ({ b, f }) => b.layerNorm(f("x", "n", 4), f("s", 5), undefined, 1e-5), ["[n, 4]", "[5]"]],
  ["ReduceSum", ({ b, f }) => b.reduceSum(f("x", 2, 3), [2]), ["axis 2", "2 axes"]],
  ["Where", ({ b, f }) => b.where(f("x", 3), f("y", 3), 0), ["float32", "bool"]],
  ["Pad", ({ b, f }) => b.pad(f("x", 2, 3), [1], [1]), ["2 pads", "2 axes"]],
  ["TopK", ({ b, f }) => Object.values(b.topK(f("x", 3), 5)), ["[3]", "5"]],
  ["EyeLike", ({ b, f }) => b.eyeLike(f("x", 3)), ["[3]"]],
  ["an unknown operator", ({ b, f }) => b.op("Fourier", [f("x", 3)]), ["Fourier"]],
];

describe("shapes that cannot fit", () => {
  for (const [what, make, parts] of BAD)
    it(`${what} names what it found`, () => {
      let message = "no error";
      try {
        make(builder());
      } catch (error) {
        message = error instanceof Error ? error.message : String(error);
      }
      for (const part of parts) expect(message).toContain(part);
    });

  it("says in which part of the model it happened", () => {
    const { b, f } = builder();
    expect(() => b.scope("layer.3", () => b.scope("ffn", () => b.matMul(f("x", 2, 3), f("y", 4, 2))))).toThrow(
      "(in layer.3/ffn)",
    );
  });
});
