import { afterAll, describe, expect, it } from "vitest";
import { GraphBuilder, type Value } from "../../kernels/graph/builder.ts";
import { inThreadCompute } from "../../kernels/graph/compute.ts";
import { differentiate, GRADIENT_RULES } from "../../kernels/graph/differentiate.ts";
import { type Dim, float, type Graph, int } from "../../kernels/graph/ir.ts";
import { type Tensor, tensor } from "../../kernels/graph/tensor.ts";
import { counterUniform } from "../../kernels/model/random.ts";
import { interpret, type Nd, nd } from "../support/graph-interpreter.ts";

interface Case {
  rule: string;
  /** What is special about this case. */
  about?: string;
  inputs: { shape: Dim[]; dims: number[]; integers?: number[]; from?: number; to?: number; keepAway?: number }[];
  build(b: GraphBuilder, ...x: Value[]): Value;
}

const x = (dims: number[], more: Partial<Case["inputs"][number]> = {}) => ({ shape: dims as Dim[], dims, ...more });
const named = (shape: Dim[], dims: number[], more: Partial<Case["inputs"][number]> = {}) => ({ shape, dims, ...more });
const positive = { from: 0.5, to: 2 };

const CASES: Case[] = [
  { rule: "Identity", inputs: [x([2, 3])], build: (b, a) => b.identity(a) },
  { rule: "Cast", inputs: [x([2, 3])], build: (b, a) => b.cast(b.cast(a, "float64"), a.dtype) },
  { rule: "Add", inputs: [x([2, 3]), x([3])], build: (b, a, c) => b.add(a, c) },
  {
    rule: "Add",
    about: "a size of 1 in the middle, a scalar",
    inputs: [x([2, 1, 3]), x([4, 1]), x([])],
    build: (b, a, c, d) => b.add(b.add(a, c), d),
  },
  { rule: "Sub", inputs: [x([3]), x([2, 3])], build: (b, a, c) => b.sub(a, c) },
  { rule: "Mul", inputs: [x([2, 3]), x([2, 1])], build: (b, a, c) => b.mul(a, c) },
  { rule: "Mul", about: "by itself", inputs: [x([2, 3])], build: (b, a) => b.mul(a, a) },
  { rule: "Div", inputs: [x([2, 3]), x([3], positive)], build: (b, a, c) => b.div(a, c) },
  { rule: "Sum", inputs: [x([2, 3]), x([3]), x([])], build: (b, ...all) => b.op("Sum", all)[0] },
  { rule: "Pow", inputs: [x([2, 3], positive)], build: (b, a) => b.add(b.pow(a, 2), b.pow(a, 1.5)) },
  { rule: "Max", inputs: [x([2, 3], { keepAway: 0.1 })], build: (b, a) => b.max(a, 0.1) },
  {
    rule: "Max",
    about: "two operands",
    inputs: [x([2, 3]), x([3], { from: 2, to: 3 })],
    build: (b, a, c) => b.max(b.mul(a, 3), c),
  },
  { rule: "Min", inputs: [x([2, 3], { keepAway: 0.1 })], build: (b, a) => b.min(a, 0.1) },
  {
    rule: "Clip",
    inputs: [x([3, 4], { keepAway: 0.5 })],
    build: (b, a) => b.op("Clip", [a, b.scalar(-0.5, a.dtype), b.scalar(0.5, a.dtype)])[0],
  },
  {
    rule: "Where",
    inputs: [x([2, 3]), x([3]), x([2, 1])],
    build: (b, a, c, d) => b.where(b.greater(a, 0.2), c, b.mul(d, a)),
  },
  { rule: "Neg", inputs: [x([2, 3])], build: (b, a) => b.neg(a) },
  { rule: "Sqrt", inputs: [x([2, 3], positive)], build: (b, a) => b.sqrt(a) },
  { rule: "Exp", inputs: [x([2, 3])], build: (b, a) => b.exp(a) },
  { rule: "Log", inputs: [x([2, 3], positive)], build: (b, a) => b.log(a) },
  { rule: "Reciprocal", inputs: [x([2, 3], positive)], build: (b, a) => b.reciprocal(a) },
  { rule: "Abs", inputs: [x([2, 3], { keepAway: 0 })], build: (b, a) => b.abs(a) },
  { rule: "Tanh", inputs: [x([2, 3])], build: (b, a) => b.tanh(a) },
  { rule: "Sigmoid", inputs: [x([2, 3])], build: (b, a) => b.sigmoid(a) },
  { rule: "Relu", inputs: [x([2, 3], { keepAway: 0 })], build: (b, a) => b.relu(a) },
  { rule: "Erf", inputs: [x([2, 3], { from: -3, to: 3 })], build: (b, a) => b.erf(a) },
  { rule: "Gelu", inputs: [x([4, 3], { from: -4, to: 4 })], build: (b, a) => b.gelu(a) },
  { rule: "Gelu", about: "tanh form", inputs: [x([4, 3], { from: -4, to: 4 })], build: (b, a) => b.geluTanh(a) },
  { rule: "MatMul", inputs: [x([3, 4]), x([4, 2])], build: (b, a, c) => b.matMul(a, c) },
  {
    rule: "MatMul",
    about: "batches that broadcast",
    inputs: [x([2, 1, 3, 4]), x([3, 4, 2])],
    build: (b, a, c) => b.matMul(a, c),
  },
  {
    rule: "MatMul",
    about: "one matrix for all rows, open sizes",
    inputs: [named(["b", "t", 4], [2, 3, 4]), x([4, 2])],
    build: (b, a, c) => b.matMul(a, c),
  },
  {
    rule: "MatMul",
    about: "vectors",
    inputs: [x([4]), x([4, 3]), x([3])],
    build: (b, a, c, d) => b.matMul(b.matMul(a, c), d),
  },
  {
    rule: "MatMul",
    about: "batch of matrices times a vector",
    inputs: [x([2, 3, 4]), x([4])],
    build: (b, a, c) => b.matMul(a, c),
  },
  {
    rule: "MatMul",
    about: "transposed factors",
    inputs: [x([2, 4, 3]), x([2, 5, 4])],
    build: (b, a, c) => b.matMul(b.transpose(a, [0, 2, 1]), b.transpose(c, [0, 2, 1])),
  },
  ...[
    [false, false],
    [true, false],
    [false, true],
    [true, true],
  ].map(
    ([transA, transB]): Case => ({
      rule: "Gemm",
      about: `transA ${transA}, transB ${transB}`,
      inputs: [x(transA ? [4, 3] : [3, 4]), x(transB ? [2, 4] : [4, 2]), x([2])],
      build: (b, a, w, c) => b.gemm(a, w, c, { transA: transA ?? false, transB: transB ?? false, alpha: 0.5, beta: 2 }),
    }),
  ),
  {
    rule: "Gemm",
    about: "sums that ride along",
    inputs: [named(["n", 3], [4, 3]), x([3, 3]), x([3, 3])],
    build: (b, a, w, v) => b.add(b.gemm(b.tanh(a), w), b.gemm(b.tanh(a), v)),
  },
  { rule: "ReduceSum", inputs: [x([2, 3, 4])], build: (b, a) => b.reduceSum(a, [0, -1]) },
  {
    rule: "ReduceSum",
    about: "all axes, open sizes",
    inputs: [named(["b", 3], [2, 3])],
    build: (b, a) => b.mul(b.reduceSum(a), b.reduceSum(b.mul(a, a))),
  },
  { rule: "ReduceMean", inputs: [named(["b", "t", 4], [2, 3, 4])], build: (b, a) => b.reduceMean(a, [1, 2], true) },
  { rule: "ReduceMax", inputs: [named(["b", "t", 4], [2, 3, 4])], build: (b, a) => b.reduceMax(a, [1]) },
  {
    rule: "ReduceMin",
    inputs: [x([2, 3, 4])],
    build: (b, a) => b.op("ReduceMin", [a, b.integers([1])], { keepdims: int(0) })[0],
  },
  { rule: "ReduceSumSquare", inputs: [x([2, 3])], build: (b, a) => b.reduceSumSquare(a, [1]) },
  {
    rule: "ReduceL2",
    inputs: [named(["b", 3], [2, 3])],
    build: (b, a) => b.div(a, b.max(b.reduceL2(a, [1], true), 1e-12)),
  },
  {
    rule: "ReduceLogSumExp",
    inputs: [x([2, 3])],
    build: (b, a) => b.op("ReduceLogSumExp", [a, b.integers([1])], { keepdims: int(0) })[0],
  },
  { rule: "Softmax", inputs: [named(["b", "t", 5], [2, 3, 5])], build: (b, a) => b.softmax(a) },
  { rule: "Softmax", about: "an axis in the middle", inputs: [x([2, 3, 4])], build: (b, a) => b.softmax(a, 1) },
  { rule: "LogSoftmax", inputs: [x([3, 4])], build: (b, a) => b.add(b.logSoftmax(a, 1), b.logSoftmax(a, 0)) },
  {
    rule: "LayerNormalization",
    inputs: [named(["n", 5], [3, 5]), x([5]), x([5])],
    build: (b, a, s, c) => b.layerNorm(a, s, c, 1e-5),
  },
  {
    rule: "LayerNormalization",
    about: "two axes, no bias",
    inputs: [x([2, 3, 4]), x([3, 4])],
    build: (b, a, s) => b.op("LayerNormalization", [a, s], { axis: int(1), epsilon: float(1e-3) })[0],
  },
  { rule: "Transpose", inputs: [named(["b", "t", 4], [2, 3, 4])], build: (b, a) => b.transpose(a, [2, 0, 1]) },
  { rule: "Reshape", inputs: [named(["b", "t", 4], [2, 3, 4])], build: (b, a) => b.reshape(a, [-1, 2]) },
  {
    rule: "Reshape",
    about: "to sizes found at run time",
    inputs: [named(["b", "t", 4], [2, 3, 4])],
    build: (b, a) => b.reshape(b.reshape(a, [-1, 4]), b.shapeValue(["b", "t", 2, 2])),
  },
  { rule: "Unsqueeze", inputs: [named(["b", 3], [2, 3])], build: (b, a) => b.unsqueeze(a, [0, 2]) },
  { rule: "Squeeze", inputs: [named(["b", 1, 3], [2, 1, 3])], build: (b, a) => b.squeeze(a, [1]) },
  {
    rule: "Expand",
    inputs: [x([3, 1]), named(["b", 3, 4], [2, 3, 4])],
    build: (b, a, c) => b.mul(b.expand(a, b.shapeOf(c)), c),
  },
  {
    rule: "Concat",
    inputs: [named(["b", 2], [2, 2]), named(["c", 2], [3, 2])],
    build: (b, a, c) => b.mul(b.concat([a, c, a], 0), b.concat([a, c, a], 0)),
  },
  {
    rule: "Split",
    inputs: [named(["2*b", 3], [4, 3])],
    build: (b, a) => b.matMul(b.split(a, 2, 0)[0], b.transpose(b.split(a, 2, 0)[1], [1, 0])),
  },
  { rule: "Split", about: "one part unused", inputs: [x([4, 3])], build: (b, a) => b.exp(b.split(a, 2, 0)[1]) },
  { rule: "Slice", inputs: [x([4, 5])], build: (b, a) => b.slice(a, 1, 1, 3) },
  { rule: "Slice", about: "counted from the end", inputs: [x([4, 5])], build: (b, a) => b.slice(a, 0, -3, -1) },
  {
    rule: "Slice",
    about: "an end found at run time",
    inputs: [x([6, 2]), named(["b", "t"], [2, 3])],
    build: (b, a, c) => b.matMul(c, b.slice(a, 0, 0, b.shapeOf(c, 1, 2))),
  },
  {
    rule: "Gather",
    inputs: [x([5, 3]), x([2, 2], { integers: [4, 0, 4, 2] })],
    build: (b, a, i) => b.exp(b.gather(a, i)),
  },
  {
    rule: "Gather",
    about: "another axis",
    inputs: [x([2, 5, 3]), x([2, 2], { integers: [4, 0, 4, 2] })],
    build: (b, a, i) => b.exp(b.gather(a, i, 1)),
  },
  {
    rule: "GatherElements",
    inputs: [x([3, 4]), x([3, 2], { integers: [0, 3, 1, 1, 2, 0] })],
    build: (b, a, i) => b.exp(b.gatherElements(a, i, 1)),
  },
  { rule: "Pad", inputs: [x([2, 3])], build: (b, a) => b.exp(b.pad(a, [1, 0], [0, 2])) },
  {
    rule: "Mul",
    about: "broadcasts that only the run can tell apart",
    inputs: [named(["p", 3], [1, 3]), named(["q", 3], [2, 3])],
    build: (b, a, c) => b.mul(a, c),
  },
  {
    rule: "Mul",
    about: "broadcasts the other way round",
    inputs: [named(["p", 3], [2, 3]), named(["q", 3], [1, 3])],
    build: (b, a, c) => b.mul(a, c),
  },
  {
    rule: "Mul",
    about: "open sizes that turn out equal",
    inputs: [named(["p", 3], [2, 3]), named(["q", 3], [2, 3])],
    build: (b, a, c) => b.mul(a, c),
  },
  {
    rule: "Mul",
    about: "a dropout mask that is fed",
    inputs: [x([2, 3]), x([2, 3], { integers: [1, 0, 1, 1, 0, 1] })],
    build: (b, a, m) => b.mul(a, b.mul(b.cast(m, a.dtype), 1 / 0.9)),
  },
];

/** The case as a scalar: every number of the result weighted with another one, so that no error cancels. */
function scalarGraph(one: Case, dtype: "float32" | "float64"): { graph: Graph; wrt: string[]; y: string } {
  const b = new GraphBuilder("case");
  const inputs = one.inputs.map(({ shape, integers }, i) => b.input(`x${i}`, integers ? "int64" : dtype, shape));
  const y = one.build(b, ...inputs);
  const weights = b.input("weights", dtype, y.shape);
  b.output(b.reduceSum(b.mul(y, weights)), "loss");
  return {
    graph: b.build(),
    y: y.name,
    wrt: inputs.filter((_, i) => !one.inputs[i].integers).map((value) => value.name),
  };
}

function numbers(seed: number, { dims, integers, from = -1, to = 1, keepAway }: Case["inputs"][number]): Nd {
  const n = dims.reduce((product, dim) => product * dim, 1);
  if (integers) return nd(dims, integers);
  return nd(
    dims,
    Array.from({ length: n }, (_, i) => {
      const value = Math.fround(from + (to - from) * counterUniform(seed, i));
      // A kink within the step of the differences has no derivative to compare with.
      return keepAway !== undefined && Math.abs(Math.abs(value) - Math.abs(keepAway)) < 0.01 ? value + 0.03 : value;
    }),
  );
}

const compute = inThreadCompute();
afterAll(() => compute.dispose());

function toTensor(value: Nd, dtype: "float32" | "int64"): Tensor {
  return dtype === "int64"
    ? tensor(
        "int64",
        value.dims,
        BigInt64Array.from(value.data, (v) => BigInt(v)),
      )
    : tensor("float32", value.dims, Float32Array.from(value.data));
}

describe("gradient rules", () => {
  for (const [at, one] of CASES.entries())
    it(`${one.rule} equals central differences${one.about ? ` (${one.about})` : ""}`, async () => {
      const { graph, wrt, y } = scalarGraph(one, "float64");
      const feeds: Record<string, Nd> = {};
      one.inputs.forEach((input, i) => {
        feeds[`x${i}`] = numbers(100 * at + i, input);
      });
      // The last three nodes weigh, sum and name the result; without them its shape is seen.
      const { [y]: result } = interpret(
        { ...graph, nodes: graph.nodes.slice(0, -3) },
        { ...feeds, weights: nd([], [0]) },
      );
      feeds.weights = numbers(7 + at, { dims: result.dims, shape: [] });
      const gradients = interpret(differentiate(graph, { of: "loss", wrt }), feeds);

      // Central differences with h = 1e-5 in float64: truncation about h² = 1e-10, rounding about 1e-16/h = 1e-11.
      const h = 1e-5;
      const problems: string[] = [];
      for (const name of wrt) {
        const found = gradients[`grad:${name}`];
        expect(found.dims).toEqual(feeds[name].dims);
        for (let i = 0; i < feeds[name].data.length; i++) {
          const moved = (by: number) => {
            const copy = nd(feeds[name].dims, feeds[name].data);
            copy.data[i] += by;
            return interpret(graph, { ...feeds, [name]: copy }).loss.data[0];
          };
          const expected = (moved(h) - moved(-h)) / (2 * h);
          if (!(Math.abs(found.data[i] - expected) <= 1e-7 * Math.max(1, Math.abs(expected))))
            problems.push(`${name}[${i}]: ${found.data[i]} instead of ${expected}`);
        }
      }
      expect(problems).toEqual([]);

      // ONNX Runtime computes the same graph; float32 over at most a few dozen terms keeps 5 digits.
      const single = scalarGraph(one, "float32");
      const session = await compute.createSession({ graph: differentiate(single.graph, { of: "loss", wrt }) });
      const results = await session.run(
        Object.fromEntries(session.inputs.map(({ name, dtype }) => [name, toTensor(feeds[name], dtype as "float32")])),
      );
      await session.dispose();
      const far = wrt.filter((name) =>
        Array.from(results[`grad:${name}`].data as Float32Array).some((value, i) => {
          const expected = gradients[`grad:${name}`].data[i];
          return !(Math.abs(value - expected) <= 2e-5 * Math.max(1, Math.abs(expected)));
        }),
      );
      expect(far).toEqual([]);
    });

  it("has a case for every rule", () => {
    const covered = new Set(CASES.map((one) => one.rule));
    expect(Object.keys(GRADIENT_RULES).filter((rule) => !covered.has(rule))).toEqual([]);
  });

  it("names operator and node when no rule is known", () => {
    const b = new GraphBuilder("uncovered");
    const a = b.input("a", "float32", [3]);
    const y = b.scope("block", () => b.op("CumSum", [a, b.scalar(0, "int64")])[0]);
    b.output(b.reduceSum(y), "loss");
    expect(() => differentiate(b.build(), { of: "loss", wrt: ["a"] })).toThrow(
      'No gradient is known for CumSum node "block/CumSum"',
    );
  });

  it("refuses a value that is not one number", () => {
    const b = new GraphBuilder("vector");
    const a = b.input("a", "float32", ["n", 3]);
    b.output(b.exp(a), "y");
    expect(() => differentiate(b.build(), { of: "y", wrt: ["a"] })).toThrow("[n, 3]");
  });

  it("gives zeros for a value that the result does not depend on", () => {
    const b = new GraphBuilder("apart");
    const a = b.input("a", "float64", ["n"]);
    const c = b.input("c", "float64", ["n"]);
    b.output(b.reduceSum(b.mul(a, a)), "loss");
    b.output(c, "other");
    const { "grad:a": da, "grad:c": dc } = interpret(differentiate(b.build(), { of: "loss", wrt: ["a", "c"] }), {
      a: nd([2], [1, 2]),
      c: nd([2], [3, 4]),
    });
    expect([[...da.data], [...dc.data]]).toEqual([
      [2, 4],
      [0, 0],
    ]);
  });
});

describe("rows that were looked up many times", () => {
  it.each([
    ["a small table", 4],
    ["a table of a vocabulary", 5000],
  ])("get every addition, on two threads too: %s", async (_, rows) => {
    const [n, width] = [20_000, 32];
    const b = new GraphBuilder("lookups");
    const table = b.input("table", "float32", [rows, width]);
    b.output(b.reduceSum(b.gather(table, b.input("ids", "int64", ["n"]))), "sum");
    const graph = differentiate(b.build(), { of: "sum", wrt: ["table"] });
    const session = await compute.createSession({ graph }, { threads: 2 });
    const ids = tensor(
      "int64",
      [n],
      BigInt64Array.from({ length: n }, (__, i) => BigInt(i % 4)),
    );
    for (let turn = 0; turn < 8; turn++) {
      const { "grad:table": gradient } = await session.run({
        table: tensor("float32", [rows, width], new Float32Array(rows * width)),
        ids,
      });
      const values = gradient.data as Float32Array;
      expect(values.subarray(0, 4 * width).every((value) => value === n / 4)).toBe(true);
      expect(values.subarray(4 * width).every((value) => value === 0)).toBe(true);
    }
    await session.dispose();
  });
});
