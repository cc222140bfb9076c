import { describe, expect, it } from "vitest";
import { GraphBuilder } from "../../kernels/graph/builder.ts";
import type { Graph } from "../../kernels/graph/ir.ts";
import { simplify } from "../../kernels/graph/passes.ts";
import { counterUniform, TINY_BERT } from "../../kernels/model/random.ts";
import { buildTrainingStep } from "../../kernels/model/training.ts";
import { interpret, type Nd, nd } from "../support/graph-interpreter.ts";
import { plainInfoNce } from "../support/plain-loss.ts";

const ops = (graph: Graph) => graph.nodes.map((node) => node.op);
const random = (seed: number, ...dims: number[]): Nd =>
  nd(
    dims,
    Array.from({ length: dims.reduce((a, c) => a * c, 1) }, (_, i) => counterUniform(seed, i) - 0.5),
  );

/** Builds, simplifies, and checks that both give the same; returns the operators that are left. */
function left(build: (b: GraphBuilder) => void, feeds: Record<string, Nd>): string[] {
  const b = new GraphBuilder("passes");
  build(b);
  const graph = b.build();
  const small = simplify(graph);
  const [before, after] = [interpret(graph, feeds), interpret(small, feeds)];
  for (const { name } of graph.outputs) {
    expect(after[name].dims).toEqual(before[name].dims);
    after[name].data.forEach((value, i) => {
      expect(value).toBeCloseTo(before[name].data[i], 12);
    });
  }
  return ops(small);
}

describe("simplify", () => {
  const feeds = { x: random(1, 2, 3) };
  const x = (b: GraphBuilder) => b.input("x", "float64", ["n", 3]);

  it("drops what no output needs", () => {
    expect(
      left((b) => {
        const v = x(b);
        b.exp(v);
        b.output(b.neg(v), "y");
      }, feeds),
    ).toEqual(["Neg"]);
  });

  it("computes equal nodes once", () => {
    expect(
      left((b) => {
        const v = x(b);
        b.output(b.mul(b.exp(v), b.exp(v)), "y");
      }, feeds),
    ).toEqual(["Exp", "Mul"]);
  });

  it("computes constants while building", () => {
    expect(left((b) => b.output(b.mul(x(b), b.sqrt(b.add(b.scalar(3, "float64"), 1))), "y"), feeds)).toEqual(["Mul"]);
  });

  it("drops moves that undo each other and steps that change nothing", () => {
    const build = (b: GraphBuilder) => {
      const v = b.transpose(b.transpose(x(b), [1, 0]), [1, 0]);
      b.output(b.exp(b.add(b.mul(b.reshape(b.reshape(b.neg(b.neg(v)), [-1]), [-1, 3]), 1), 0)), "y");
    };
    // The size behind -1 is only known at run time, so the last layout stays.
    expect(left(build, feeds)).toEqual(["Exp"]);
  });

  it("does not write a broadcast out", () => {
    const build = (b: GraphBuilder) => {
      const v = x(b);
      b.output(b.mul(b.expand(b.reduceSum(v, [1], true), b.shapeOf(v)), v), "y");
    };
    expect(left(build, feeds)).toEqual(["ReduceSum", "Mul"]);
  });

  it("lets a sum ride along in a product", () => {
    const build = (b: GraphBuilder) => {
      const v = x(b);
      const w = b.input("w", "float64", [3, 3]);
      b.output(b.add(b.gemm(v, w, undefined, { alpha: 0.5 }), v), "y");
    };
    expect(left(build, { ...feeds, w: random(2, 3, 3) })).toEqual(["Gemm"]);
  });

  it("does not when the product is used elsewhere too", () => {
    const build = (b: GraphBuilder) => {
      const v = x(b);
      const product = b.gemm(v, b.input("w", "float64", [3, 3]));
      b.output(b.add(product, v), "y");
      b.output(b.exp(product), "z");
    };
    expect(left(build, { ...feeds, w: random(2, 3, 3) })).toEqual(["Gemm", "Add", "Exp"]);
  });

  it("transposes the factors instead of the product", () => {
    const build = (b: GraphBuilder) => {
      const [v, w] = [b.input("v", "float64", [2, 3, 4]), b.input("w", "float64", [2, 5, 4])];
      b.output(b.exp(b.transpose(b.matMul(v, b.transpose(w, [0, 2, 1])), [0, 2, 1])), "y");
    };
    expect(left(build, { v: random(3, 2, 3, 4), w: random(4, 2, 5, 4) })).toEqual(["Transpose", "MatMul", "Exp"]);
  });

  it("keeps the names of inputs and outputs, also when an output is an input", () => {
    const b = new GraphBuilder("names");
    const v = x(b);
    b.output(v, "same");
    b.output(b.exp(v), "y");
    const small = simplify(b.build());
    expect([small.outputs.map((o) => o.name), ops(small)]).toEqual([
      ["same", "y"],
      ["Identity", "Exp"],
    ]);
  });
});

describe("the training step", () => {
  it("is free of copies, expansions and unused nodes", () => {
    const graph = buildTrainingStep(
      { family: "bert", config: TINY_BERT },
      { pooling: "mean", normalise: true, ...plainInfoNce(0.05, true) },
    ).graphs.whole;
    expect(ops(graph).filter((op) => op === "Identity" || op === "Expand")).toEqual([]);
    expect(simplify(graph)).toEqual(graph);
  });
});
