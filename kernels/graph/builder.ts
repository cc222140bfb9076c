/** Builds a graph one operator at a time; every value knows its type and shape from the moment it is made. */
import { invariant, ParallaxError } from "../protocol/errors.ts";
import { formatShape, isUnknown } from "./dims.ts";
import {
  type Attribute,
  type Dim,
  float,
  type Graph,
  int,
  ints,
  type Node,
  OPSET,
  string,
  type ValueInfo,
} from "./ir.ts";
import { type InferContext, inferContents, inferShapes, tensorContents } from "./shapes.ts";
import { type DType, type Tensor, type TypedArrays, tensor } from "./tensor.ts";

/** A value of the graph that is being built. */
export interface Value {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly Dim[];
}

export type FloatType = "float32" | "float64";

/** Number of each element type in ONNX files. */
export const ONNX_TYPE: Readonly<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
  bfloat16: 16,
};

export class GraphBuilder {
  readonly name: string;
  readonly opset: number;
  #inputs: ValueInfo[] = [];
  #outputs: ValueInfo[] = [];
  #initializers = new Map<string, Tensor>();
  #nodes: Node[] = [];
  #values = new Map<string, Value>();
  #contents = new Map<string, readonly Dim[]>();
  #constants = new Map<string, Value>();
  #used = new Map<string, number>();
  #scope = "";

  constructor(name: string, options: { opset?: number } = {}) {
    this.name = name;
    this.opset = options.opset ?? OPSET;
  }

  /**
   * A builder that goes on where a finished graph stops. The graph is not changed.
   * @throws {ParallaxError} graph.unknown-operator, graph.shape-mismatch when a node of a foreign graph is not understood
   */
  static from(graph: Graph): GraphBuilder {
    const b = new GraphBuilder(graph.name, { opset: graph.opset });
    b.#inputs = [...graph.inputs];
    for (const info of graph.inputs) b.#register(info);
    for (const [name, value] of graph.initializers) b.initializer(name, value);
    for (const node of graph.nodes) {
      const made = b.#infer(node);
      node.outputs.forEach((name, i) => {
        if (name !== "") b.#register({ name, ...(graph.values.get(name) ?? made[i]) });
      });
      b.#noteContents(node);
      b.#nodes.push(node);
    }
    b.#outputs = [...graph.outputs];
    return b;
  }

  input(name: string, dtype: DType, shape: readonly Dim[]): Value {
    const value = this.#register({ name, dtype, shape });
    this.#inputs.push({ name, dtype, shape: [...shape] });
    return value;
  }

  /** A named tensor that belongs to the graph. It is kept, not copied. */
  initializer(name: string, data: Tensor): Value {
    const value = this.#register({ name, dtype: data.dtype, shape: data.dims });
    this.#initializers.set(name, data);
    const contents = tensorContents(data);
    if (contents) this.#contents.set(name, contents);
    return value;
  }

  /** A tensor without a name of its own; equal small constants become one. */
  constant<D extends DType>(dtype: D, dims: readonly number[], data: TypedArrays[D]): Value {
    const key =
      data.length <= 1024 ? `${dtype}[${dims.join()}]${Array.from(data as Float32Array, spell).join()}` : undefined;
    const known = key === undefined ? undefined : this.#constants.get(key);
    if (known) return known;
    const value = this.initializer(this.#fresh("constant"), tensor(dtype, dims, data));
    if (key !== undefined) this.#constants.set(key, value);
    return value;
  }

  /** One number, of the type of the values it meets. */
  scalar(value: number, dtype: DType = "float32"): Value {
    switch (dtype) {
      case "float32":
        return this.constant("float32", [], Float32Array.of(value));
      case "float64":
        return this.constant("float64", [], Float64Array.of(value));
      case "int64":
        return this.constant("int64", [], BigInt64Array.of(BigInt(value)));
      case "bool":
        return this.constant("bool", [], Uint8Array.of(value ? 1 : 0));
      default:
        throw new ParallaxError("graph.bad-type", `A constant of type ${dtype} cannot be made.`, { kind: "bug" });
    }
  }

  /** A row of integers, as shapes, axes and indices are. */
  integers(values: readonly number[]): Value {
    return this.constant("int64", [values.length], BigInt64Array.from(values, BigInt));
  }

  /** Names made inside of `build` start with `name/`, so that an error can say where it happened. */
  scope<T>(name: string, build: () => T): T {
    const outer = this.#scope;
    this.#scope = `${outer}${name}/`;
    try {
      return build();
    } finally {
      this.#scope = outer;
    }
  }

  /**
   * Adds one node. Trailing inputs may be left out with undefined.
   * @throws {ParallaxError} graph.shape-mismatch, graph.bad-axis, graph.unknown-operator
   */
  op(
    op: string,
    inputs: readonly (Value | undefined)[],
    attributes: Record<string, Attribute> = {},
    outputCount = 1,
  ): Value[] {
    const base = this.#fresh(op);
    const outputs = outputCount === 1 ? [base] : Array.from({ length: outputCount }, (_, i) => `${base}:${i}`);
    const node: Node = { op, name: base, inputs: inputs.map((value) => value?.name ?? ""), outputs, attributes };
    while (node.inputs.at(-1) === "") node.inputs.pop();
    let made: ReturnType<typeof inferShapes>;
    try {
      made = this.#infer(node);
    } catch (error) {
      if (error instanceof ParallaxError && this.#scope !== "")
        throw new ParallaxError(error.code, `${error.message} (in ${this.#scope.slice(0, -1)})`, {
          kind: error.kind,
          cause: error,
          ...(error.hint === undefined ? {} : { hint: error.hint }),
          ...(error.details === undefined ? {} : { details: error.details }),
        });
      throw error;
    }
    const values = outputs.map((name, i) => this.#register({ name, dtype: made[i].dtype, shape: made[i].shape }));
    this.#nodes.push(node);
    this.#noteContents(node);
    return values;
  }

  #one(op: string, inputs: readonly (Value | undefined)[], attributes: Record<string, Attribute> = {}): Value {
    return this.op(op, inputs, attributes)[0];
  }

  /** Like #one, but a plain number becomes a constant of the other operand's type. */
  #pair(op: string, a: Value | number, b: Value | number): Value {
    const dtype = typeof a === "object" ? a.dtype : typeof b === "object" ? b.dtype : "float32";
    const lift = (x: Value | number) => (typeof x === "object" ? x : this.scalar(x, dtype));
    return this.#one(op, [lift(a), lift(b)]);
  }

  // Elementwise with numpy broadcasting; a number stands for a scalar of the same type.
  add = (a: Value | number, b: Value | number) => this.#pair("Add", a, b);
  sub = (a: Value | number, b: Value | number) => this.#pair("Sub", a, b);
  mul = (a: Value | number, b: Value | number) => this.#pair("Mul", a, b);
  div = (a: Value | number, b: Value | number) => this.#pair("Div", a, b);
  pow = (a: Value | number, b: Value | number) => this.#pair("Pow", a, b);
  max = (a: Value | number, b: Value | number) => this.#pair("Max", a, b);
  min = (a: Value | number, b: Value | number) => this.#pair("Min", a, b);
  /** bool */
  equal = (a: Value | number, b: Value | number) => this.#pair("Equal", a, b);
  greater = (a: Value | number, b: Value | number) => this.#pair("Greater", a, b);
  less = (a: Value | number, b: Value | number) => this.#pair("Less", a, b);
  greaterOrEqual = (a: Value | number, b: Value | number) => this.#pair("GreaterOrEqual", a, b);
  not = (x: Value) => this.#one("Not", [x]);
  neg = (x: Value) => this.#one("Neg", [x]);
  sqrt = (x: Value) => this.#one("Sqrt", [x]);
  exp = (x: Value) => this.#one("Exp", [x]);
  log = (x: Value) => this.#one("Log", [x]);
  erf = (x: Value) => this.#one("Erf", [x]);
  tanh = (x: Value) => this.#one("Tanh", [x]);
  sigmoid = (x: Value) => this.#one("Sigmoid", [x]);
  relu = (x: Value) => this.#one("Relu", [x]);
  abs = (x: Value) => this.#one("Abs", [x]);
  sign = (x: Value) => this.#one("Sign", [x]);
  reciprocal = (x: Value) => this.#one("Reciprocal", [x]);
  identity = (x: Value) => this.#one("Identity", [x]);
  /** x·½(1 + erf(x/√2)), the exact form. */
  gelu = (x: Value) => this.#one("Gelu", [x]);
  /** ½x(1 + tanh(√(2/π)(x + 0.044715x³))), the form of GPT-2 and T5 v1.1. */
  geluTanh = (x: Value) => this.#one("Gelu", [x], { approximate: string("tanh") });
  where = (condition: Value, a: Value | number, b: Value | number) => {
    const dtype = typeof a === "object" ? a.dtype : typeof b === "object" ? b.dtype : "float32";
    const lift = (x: Value | number) => (typeof x === "object" ? x : this.scalar(x, dtype));
    return this.#one("Where", [condition, lift(a), lift(b)]);
  };
  cast = (x: Value, to: DType) => (x.dtype === to ? x : this.#one("Cast", [x], { to: int(ONNX_TYPE[to]) }));

  /** [.., m, k] × [.., k, n] → [.., m, n], batch axes broadcast. */
  matMul = (a: Value, b: Value) => this.#one("MatMul", [a, b]);

  /** alpha · A·B + beta · C for matrices, each side transposed when asked. C broadcasts to the result. */
  gemm(
    a: Value,
    b: Value,
    c?: Value,
    options: { transA?: boolean; transB?: boolean; alpha?: number; beta?: number } = {},
  ): Value {
    const attributes: Record<string, Attribute> = {};
    if (options.alpha !== undefined && options.alpha !== 1) attributes.alpha = float(Math.fround(options.alpha));
    if (c && options.beta !== undefined && options.beta !== 1) attributes.beta = float(Math.fround(options.beta));
    if (options.transA) attributes.transA = int(1);
    if (options.transB) attributes.transB = int(1);
    return this.#one("Gemm", c ? [a, b, c] : [a, b], attributes);
  }

  /** Running sums along an axis, the element itself included. */
  cumSum = (x: Value, axis: number) => this.#one("CumSum", [x, this.scalar(axis, "int64")]);

  transpose = (x: Value, order: readonly number[]) => this.#one("Transpose", [x], { perm: ints(order) });

  /**
   * In `shape`, 0 copies the input's size at that place, -1 is what is left, a name is read from `sizes`: a value of
   * the graph whose shape has it.
   */
  reshape(x: Value, shape: readonly Dim[] | Value): Value {
    return this.#one("Reshape", [x, isValue(shape) ? shape : this.shapeValue(shape)]);
  }

  /** An int64 row with these sizes; names are looked up in the graph's inputs and in values made before. */
  shapeValue(shape: readonly Dim[]): Value {
    if (shape.every((dim) => typeof dim === "number")) return this.integers(shape);
    const parts: Value[] = [];
    for (const dim of shape) {
      if (typeof dim === "number") {
        parts.push(this.integers([dim]));
        continue;
      }
      parts.push(this.#sizeOf(dim));
    }
    return parts.length === 1 ? parts[0] : this.concat(parts, 0);
  }

  /** int64: the shape of x, from the inputs where they tell, so that x itself need not be kept for it. */
  sizesOf(x: Value): Value {
    return x.shape.some(isUnknown) ? this.shapeOf(x) : this.shapeValue(x.shape);
  }

  #sizeOf(dim: string): Value {
    for (const value of this.#values.values()) {
      const axis = value.shape.indexOf(dim);
      if (axis >= 0) return this.shapeOf(value, axis, axis + 1);
    }
    throw new ParallaxError("graph.unknown-size", `No value of graph "${this.name}" has the size "${dim}".`, {
      kind: "bug",
    });
  }

  /** int64: the sizes of the axes from `start` to before `end`. */
  shapeOf(x: Value, start?: number, end?: number): Value {
    const attributes: Record<string, Attribute> = {};
    if (start !== undefined) attributes.start = int(start);
    if (end !== undefined) attributes.end = int(end);
    return this.#one("Shape", [x], attributes);
  }

  unsqueeze = (x: Value, axes: readonly number[]) => this.#one("Unsqueeze", [x, this.integers(axes)]);
  squeeze = (x: Value, axes: readonly number[]) => this.#one("Squeeze", [x, this.integers(axes)]);
  concat = (parts: readonly Value[], axis: number) => this.#one("Concat", parts, { axis: int(axis) });
  /** Equal parts; the size of the axis must be divisible. */
  split = (x: Value, parts: number, axis: number) =>
    this.op("Split", [x], { axis: int(axis), num_outputs: int(parts) }, parts);
  /** Elements start..end-1 of one axis; the ends may be int64 [1] values. */
  slice(x: Value, axis: number, start: number | Value, end: number | Value): Value {
    const row = (at: number | Value) => (typeof at === "number" ? this.integers([at]) : at);
    return this.#one("Slice", [x, row(start), row(end), this.integers([axis])]);
  }
  gather = (data: Value, indices: Value, axis = 0) => this.#one("Gather", [data, indices], { axis: int(axis) });
  gatherElements = (data: Value, indices: Value, axis: number) =>
    this.#one("GatherElements", [data, indices], { axis: int(axis) });
  expand = (x: Value, shape: Value) => this.#one("Expand", [x, shape]);
  /** Zeros around x: `before` and `after` per axis. */
  pad = (x: Value, before: readonly number[], after: readonly number[]) =>
    this.#one("Pad", [x, this.integers([...before, ...after])]);
  filled = (shape: Value, value: number, dtype: FloatType = "float32") =>
    this.#one("ConstantOfShape", [shape], {
      value: {
        kind: "tensor",
        value:
          dtype === "float32" ? tensor(dtype, [1], Float32Array.of(value)) : tensor(dtype, [1], Float64Array.of(value)),
      },
    });

  softmax = (x: Value, axis = -1) => this.#one("Softmax", [x], { axis: int(axis) });
  logSoftmax = (x: Value, axis = -1) => this.#one("LogSoftmax", [x], { axis: int(axis) });
  layerNorm = (x: Value, scale: Value, bias: Value | undefined, epsilon: number) =>
    this.#one("LayerNormalization", [x, scale, bias], { axis: int(-1), epsilon: float(Math.fround(epsilon)) });

  #reduce(op: string, x: Value, axes: readonly number[] | undefined, keep: boolean): Value {
    return this.#one(op, axes ? [x, this.integers(axes)] : [x], { keepdims: int(keep ? 1 : 0) });
  }
  reduceSum = (x: Value, axes?: readonly number[], keep = false) => this.#reduce("ReduceSum", x, axes, keep);
  reduceMean = (x: Value, axes?: readonly number[], keep = false) => this.#reduce("ReduceMean", x, axes, keep);
  reduceMax = (x: Value, axes?: readonly number[], keep = false) => this.#reduce("ReduceMax", x, axes, keep);
  reduceSumSquare = (x: Value, axes?: readonly number[], keep = false) =>
    this.#reduce("ReduceSumSquare", x, axes, keep);
  reduceL2 = (x: Value, axes?: readonly number[], keep = false) => this.#reduce("ReduceL2", x, axes, keep);

  /** The k largest (or smallest) along an axis, best first, and where they were (int64). */
  topK(x: Value, k: number | Value, axis = -1, largest = true): { values: Value; indices: Value } {
    const count = typeof k === "number" ? this.integers([k]) : k;
    const [values, indices] = this.op(
      "TopK",
      [x, count],
      { axis: int(axis), largest: int(largest ? 1 : 0), sorted: int(1) },
      2,
    );
    return { values, indices };
  }
  /** The identity matrix in the shape of a matrix. */
  eyeLike = (x: Value) => this.#one("EyeLike", [x]);

  /** Makes `value` an output, under another name when given. */
  output(value: Value, name?: string): Value {
    let result = value;
    if (name !== undefined && name !== value.name) {
      invariant(!this.#values.has(name), `the output name "${name}" is already taken in graph "${this.name}"`);
      this.#register({ name, dtype: value.dtype, shape: value.shape });
      this.#nodes.push({
        op: "Identity",
        name: `output/${name}`,
        inputs: [value.name],
        outputs: [name],
        attributes: {},
      });
      result = this.value(name);
    }
    this.#outputs.push({ name: result.name, dtype: result.dtype, shape: [...result.shape] });
    return result;
  }

  /** The same value with a shape that is known better than it could be inferred. */
  assume(value: Value, shape: readonly Dim[]): Value {
    const known = this.value(value.name);
    invariant(
      known.shape.length === shape.length,
      `"${value.name}" has ${known.shape.length} axes, not ${shape.length}`,
    );
    const result: Value = { ...known, shape: [...shape] };
    this.#values.set(value.name, result);
    return result;
  }

  /** @throws {ParallaxError} graph.unknown-value */
  value(name: string): Value {
    const value = this.#values.get(name);
    if (!value)
      throw new ParallaxError("graph.unknown-value", `Graph "${this.name}" has no value named "${name}".`, {
        kind: "bug",
      });
    return value;
  }

  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** The nodes so far, in order. */
  get nodes(): readonly Node[] {
    return this.#nodes;
  }

  contents(value: Value): readonly Dim[] | undefined {
    return this.#contents.get(value.name);
  }

  initializerOf(value: Value): Tensor | undefined {
    return this.#initializers.get(value.name);
  }

  /** The graph as it stands. Tensors are shared with the builder. */
  build(): Graph {
    const values = new Map<string, ValueInfo>();
    for (const node of this.#nodes)
      for (const name of node.outputs) {
        const value = this.#values.get(name);
        if (value) values.set(name, { name, dtype: value.dtype, shape: [...value.shape] });
      }
    return {
      name: this.name,
      opset: this.opset,
      inputs: [...this.#inputs],
      outputs: [...this.#outputs],
      initializers: new Map(this.#initializers),
      nodes: [...this.#nodes],
      values,
    };
  }

  #register(info: Value | ValueInfo): Value {
    invariant(info.name !== "", `a value of graph "${this.name}" has no name`);
    invariant(
      !this.#values.has(info.name),
      `the value "${info.name}" of graph "${this.name}" is made twice (${formatShape(info.shape)})`,
    );
    const value: Value = { name: info.name, dtype: info.dtype, shape: [...info.shape] };
    this.#values.set(info.name, value);
    return value;
  }

  #fresh(kind: string): string {
    const base = `${this.#scope}${kind}`;
    for (;;) {
      const count = this.#used.get(base) ?? 0;
      this.#used.set(base, count + 1);
      const name = count === 0 ? base : `${base}.${count}`;
      if (!this.#values.has(name)) return name;
    }
  }

  #context(node: Node): InferContext {
    return {
      op: node.op,
      attributes: node.attributes,
      outputCount: node.outputs.length,
      inputs: node.inputs.map((name) => (name === "" ? undefined : this.value(name))),
      contents: (at) => this.#contents.get(node.inputs[at] ?? ""),
    };
  }

  #infer(node: Node) {
    return inferShapes(this.#context(node));
  }

  #noteContents(node: Node): void {
    const contents = inferContents(this.#context(node));
    if (contents && node.outputs.length === 1) this.#contents.set(node.outputs[0], contents);
  }
}

/** Distinguishes -0 from 0. */
const spell = (x: number | bigint) => (Object.is(x, -0) ? "-0" : String(x));

function isValue(x: readonly Dim[] | Value): x is Value {
  return !Array.isArray(x);
}

export { float, int, ints, string };
