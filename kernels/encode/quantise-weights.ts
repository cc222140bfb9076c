/** Weights at 8 bits: a quarter of the memory, the arithmetic still in float32. */
import { type Graph, int, intAttribute, type Node } from "../graph/ir.ts";
import { elementCount, type Tensor, tensor } from "../graph/tensor.ts";

/** Smaller matrices stay as they are. */
const SMALLEST = 4096;

/**
 * A graph whose large matrices are int8 with one scale a row, written with standard operators only: a linear layer's
 * weight goes through DequantizeLinear, a table is gathered as int8 and its gathered rows are scaled.
 *
 * Only weights are rounded, so a vector still does not depend on its batch (activations quantised at run time would share
 * one scale over all texts of a batch). Biases, norms and position tables stay float32. Largest error of a weight: half
 * its row's largest magnitude / 127. The given graph is not changed; its other weights are shared.
 */
export function quantiseWeights(graph: Graph): Graph {
  const initializers = new Map(graph.initializers);
  const nodes: Node[] = [];
  const done = new Map<string, string>();
  const isTable = (name: string | undefined) => {
    const value = name === undefined ? undefined : graph.initializers.get(name);
    return value?.dtype === "float32" && value.dims.length === 2 && elementCount(value.dims) >= SMALLEST;
  };
  const rows = (name: string) => {
    if (!initializers.has(`${name}.int8`)) {
      const { quantised, scale } = quantiseRows(graph.initializers.get(name) as Tensor<"float32">);
      initializers.set(`${name}.int8`, quantised).set(`${name}.scale`, scale);
      initializers.delete(name);
    }
  };
  for (const node of graph.nodes) {
    const [a, weight] = node.inputs;
    if (node.op === "Gemm" && isTable(weight) && intAttribute(node.attributes, "transB", 0) === 1) {
      rows(weight);
      let wide = done.get(weight);
      if (wide === undefined) {
        wide = `${weight}.float32`;
        done.set(weight, wide);
        nodes.push({
          op: "DequantizeLinear",
          inputs: [`${weight}.int8`, `${weight}.scale`],
          outputs: [wide],
          attributes: { axis: int(0) },
        });
      }
      nodes.push({ ...node, inputs: [a, wide, ...node.inputs.slice(2)] });
    } else if (node.op === "Gather" && isTable(a) && intAttribute(node.attributes, "axis", 0) === 0) {
      rows(a);
      const [out] = node.outputs;
      nodes.push({ ...node, inputs: [`${a}.int8`, weight], outputs: [`${out}.int8`] });
      nodes.push({
        op: "Gather",
        inputs: [`${a}.scale`, weight],
        outputs: [`${out}.scale`],
        attributes: { axis: int(0) },
      });
      nodes.push({
        op: "DequantizeLinear",
        inputs: [`${out}.int8`, `${out}.scale`],
        outputs: [out],
        attributes: { axis: int(0) },
      });
    } else nodes.push(node);
  }
  // What is used elsewhere too keeps its float32 form.
  for (const node of nodes)
    for (const name of node.inputs) {
      const original = graph.initializers.get(name);
      if (original !== undefined && !initializers.has(name)) initializers.set(name, original);
    }
  return { ...graph, initializers, nodes };
}

/**
 * Symmetric rounding, one scale a row: q = round(x·127/max|row|).
 *
 * @param weight float32 [rows, columns]
 * @returns int8 of the same shape and float32 scales [rows]; a row of zeros has scale 1
 */
export function quantiseRows(weight: Tensor<"float32">): { quantised: Tensor<"int8">; scale: Tensor<"float32"> } {
  const [rows, columns] = weight.dims;
  const quantised = new Int8Array(rows * columns);
  const scale = new Float32Array(rows);
  for (let i = 0; i < rows; i++) {
    const row = weight.data.subarray(i * columns, (i + 1) * columns);
    let largest = 0;
    for (const value of row) largest = Math.max(largest, Math.abs(value));
    scale[i] = largest === 0 ? 1 : largest / 127;
    for (let j = 0; j < columns; j++) quantised[i * columns + j] = Math.round(row[j] / scale[i]);
  }
  return { quantised: tensor("int8", weight.dims, quantised), scale: tensor("float32", [rows], scale) };
}
