/** Multi-head attention as one operator of ONNX Runtime: scores, mask, softmax and mixture never leave it. */
import { type Attribute, float, type Graph, int, type Node, type ValueInfo } from "./ir.ts";
import { prune } from "./passes.ts";
import { GraphEdit, GraphIndex, isTranspose, MICROSOFT, withMicrosoft } from "./rewrite.ts";

/** The parts of one attention block, as kernels/model/blocks.ts lays it out. */
interface Match {
  /** Values [b·t, h·s]: the three products. */
  rows: [query: string, key: string, value: string];
  /** The int64 [4] shape b, t, h, s. */
  toHeads: string;
  heads: number;
  headSize: number;
  /** int64 [b, t], 1 = token; "" without padding. */
  mask: string;
  /** float [1 or b, h, t, t] to be added to the scores; "" for none. */
  bias: string;
  /** The Reshape whose output is [b·t, h·s]. */
  last: Node;
}

export interface FuseAttentionOptions {
  /**
   * Batches without padding take a branch without a mask, where ONNX Runtime goes through the keys by blocks and never
   * writes the scores out (Dao et al. 2022). Default true. A bias of all pairs rules it out.
   */
  branch?: boolean;
}

/**
 * Softmax(q·kᵀ + bias)·v with its reshapes and transposes becomes com.microsoft MultiHeadAttention.
 *
 * Blocks are recognised by the operators that kernels/model/blocks.ts emits, the padding mask by its arithmetic; a bias
 * that is the sum of a relative bias and the mask is given in two parts. What does not match stays as it is. Equal to
 * 2e-6 of a unit vector: padding gets the score −10000 instead of −1e9, and exp of both is 0 in float32.
 */
export function fuseAttention(graph: Graph, options: FuseAttentionOptions = {}): Graph {
  const index = new GraphIndex(graph);
  const matches = new Map<Node, Match>();
  for (const node of graph.nodes) {
    const match = node.op === "Softmax" && node.domain === undefined ? matchBlock(node, index) : undefined;
    if (match) matches.set(match.last, match);
  }
  if (matches.size === 0) return graph;
  const edit = new GraphEdit(graph);
  const masks = new Map<string, { narrow: string; none: string }>();
  for (const node of graph.nodes) {
    const match = matches.get(node);
    if (!match) {
      edit.nodes.push(node);
      continue;
    }
    const mask = masks.get(match.mask) ?? emitMask(edit, match.mask);
    masks.set(match.mask, mask);
    emit(edit, match, mask, index, options);
  }
  return withMicrosoft(prune(edit.finish()));
}

function matchBlock(softmax: Node, index: GraphIndex): Match | undefined {
  const sum = index.maker(softmax.inputs[0], "Add");
  const scores = index.maker(sum?.inputs[0], "MatMul");
  if (!sum || !scores) return undefined;
  const q = headRows(scores.inputs[0], index);
  const turned = index.maker(scores.inputs[1], "Transpose");
  const k = isTranspose(turned, 0, 1, 3, 2)
    ? headRows(turned.inputs[0], index)
    : headRows(scores.inputs[1], index, [0, 2, 3, 1]);
  if (!q || !k || index.uses(softmax.outputs[0]) !== 1) return undefined;
  const user = (name: string) => index.graph.nodes.find((node) => node.inputs.includes(name));
  const mixed = user(softmax.outputs[0]);
  if (mixed?.op !== "MatMul" || mixed.inputs[0] !== softmax.outputs[0]) return undefined;
  const v = headRows(mixed.inputs[1], index);
  const back = user(mixed.outputs[0]);
  if (!v || !isTranspose(back, 0, 2, 1, 3) || index.uses(mixed.outputs[0]) !== 1) return undefined;
  const last = user(back.outputs[0]);
  if (last?.op !== "Reshape" || index.uses(back.outputs[0]) !== 1) return undefined;
  if (q.shape !== k.shape || k.shape !== v.shape) return undefined;
  const sizes = index.shape(q.four);
  const [heads, headSize] = [sizes?.[2], sizes?.[3]];
  if (typeof heads !== "number" || typeof headSize !== "number") return undefined;
  const bias = splitBias(sum.inputs[1], index);
  if (!bias || index.info(q.rows)?.dtype !== "float32") return undefined;
  return { rows: [q.rows, k.rows, v.rows], toHeads: q.shape, heads, headSize, ...bias, last };
}

/** [b, h, t, s] ← Transpose ← Reshape [b, t, h, s] ← rows [b·t, h·s]. */
function headRows(
  name: string,
  index: GraphIndex,
  order = [0, 2, 1, 3],
): { rows: string; shape: string; four: string } | undefined {
  const transpose = index.maker(name, "Transpose");
  if (!isTranspose(transpose, ...order)) return undefined;
  const reshape = index.maker(transpose.inputs[0], "Reshape");
  return reshape && { rows: reshape.inputs[0], shape: reshape.inputs[1], four: reshape.outputs[0] };
}

/** What is added to the scores: the mask of padding, a bias of all pairs, or both. */
function splitBias(name: string, index: GraphIndex): { mask: string; bias: string } | undefined {
  const mask = paddingMask(name, index);
  if (mask !== undefined) return { mask, bias: "" };
  const both = index.maker(name, "Add");
  for (const at of [0, 1]) {
    const inner = paddingMask(both?.inputs[1 - at], index);
    const shape = both && index.shape(both.inputs[at]);
    if (both && inner !== undefined && shape?.length === 4 && shape[2] === shape[3])
      return { mask: inner, bias: both.inputs[at] };
  }
  return undefined;
}

/** Unsqueeze((Cast(mask) − 1) · 1e9): the int64 mask behind it. */
function paddingMask(name: string | undefined, index: GraphIndex): string | undefined {
  const wide = index.maker(name, "Unsqueeze");
  const product = index.maker(wide?.inputs[0], "Mul");
  const difference = index.maker(product?.inputs[0], "Sub");
  const cast = index.maker(difference?.inputs[0], "Cast");
  if (!wide || !cast || index.integers(wide.inputs[1])?.join() !== "1,2") return undefined;
  if ((index.scalar(product?.inputs[1]) ?? 0) < 1e4 || index.scalar(difference?.inputs[1]) !== 1) return undefined;
  return index.info(cast.inputs[0])?.dtype === "int64" ? cast.inputs[0] : undefined;
}

/** The mask as ONNX Runtime wants it, and whether it masks nothing. */
function emitMask(edit: GraphEdit, mask: string): { narrow: string; none: string } {
  const narrow = edit.add("Cast", [mask], `${mask}/int32`, { attributes: { to: int(6) } });
  const least = edit.add("ReduceMin", [narrow], `${mask}/least`, { attributes: { keepdims: int(0) } });
  return { narrow, none: edit.add("Cast", [least], `${mask}/none`, { attributes: { to: int(9) } }) };
}

function emit(
  edit: GraphEdit,
  match: Match,
  mask: { narrow: string; none: string },
  index: GraphIndex,
  options: FuseAttentionOptions,
): void {
  const { heads, headSize, last } = match;
  const out = last.outputs[0];
  const width = heads * headSize;
  const whole = (rows: string, part: string) => {
    const four = edit.add("Reshape", [rows, match.toHeads], `${out}/${part}4`);
    return edit.add("Reshape", [four, edit.integers([0, 0, width])], `${out}/${part}`);
  };
  const [q, k, v] = match.rows.map((rows, i) => whole(rows, "qkv"[i]));
  const attend = (inputs: string[], output: string): Node => ({
    op: "MultiHeadAttention",
    domain: MICROSOFT,
    name: output,
    inputs: [q, k, v, ...inputs],
    outputs: [output],
    attributes: { num_heads: int(heads), scale: float(1), mask_filter_value: float(-10_000) },
  });
  if (match.bias !== "" || options.branch === false)
    edit.nodes.push(attend(["", mask.narrow, ...(match.bias === "" ? [] : [match.bias])], `${out}/attention`));
  else
    edit.add("If", [mask.none], `${out}/attention`, {
      attributes: {
        then_branch: branchOf(index.graph, attend([], `${out}/attention.plain`), width),
        else_branch: branchOf(index.graph, attend(["", mask.narrow], `${out}/attention.masked`), width),
      },
    });
  edit.nodes.push({ ...last, inputs: [`${out}/attention`, edit.integers([-1, width])] });
}

/** One node as a branch of an If: it reads the values of the graph around it. */
function branchOf({ opset, domains }: Graph, node: Node, width: number): Attribute {
  const outputs: ValueInfo[] = [{ name: node.outputs[0], dtype: "float32", shape: ["b", "t", width] }];
  const inner: Graph = {
    name: node.outputs[0],
    opset,
    ...(domains ? { domains } : {}),
    inputs: [],
    outputs,
    initializers: new Map(),
    nodes: [node],
    values: new Map(),
  };
  return { kind: "graph", value: inner };
}
