/** Weights at 8 bits: a quarter of the memory, the arithmetic still in float32. */
import { type Graph, int, type Node } from "./ir.ts";
import { gatheredTable, linearLayer } from "./linear-layers.ts";
import { prune } from "./passes.ts";
import { quantiseRows } from "./quantise-rows.ts";
import type { Tensor } from "./tensor.ts";

/**
 * Gathered tables (word embeddings) as int8 with one scale a row: rows are gathered as bytes and scaled afterwards.
 * Standard operators only; the scales are computed once. The given graph is not changed.
 */
export function quantiseTables(graph: Graph): Graph {
  const initializers = new Map(graph.initializers);
  const nodes: Node[] = [];
  for (const node of graph.nodes) {
    const table = gatheredTable(node, graph);
    if (table === undefined) {
      nodes.push(node);
      continue;
    }
    const [bytes, scale] = storeRows(initializers, graph, table);
    const [out] = node.outputs;
    const rows = node.inputs[1];
    nodes.push({ ...node, inputs: [bytes, rows], outputs: [`${out}.int8`] });
    nodes.push({ op: "Gather", inputs: [scale, rows], outputs: [`${out}.scale`], attributes: { axis: int(0) } });
    const inputs = [`${out}.int8`, `${out}.scale`];
    nodes.push({ op: "DequantizeLinear", inputs, outputs: [out], attributes: { axis: int(0) } });
  }
  return prune({ ...graph, initializers, nodes });
}

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
  const wide = new Map<string, string>();
  for (const node of graph.nodes) {
    const layer = linearLayer(node, graph);
    if (layer) {
      let name = wide.get(layer.weight);
      if (name === undefined) {
        name = `${layer.weight}.float32`;
        wide.set(layer.weight, name);
        const [bytes, scale] = storeRows(initializers, graph, layer.weight);
        nodes.push({ op: "DequantizeLinear", inputs: [bytes, scale], outputs: [name], attributes: { axis: int(0) } });
      }
      nodes.push({ ...node, inputs: node.inputs.map((input, i) => (i === 1 ? (name as string) : input)) });
    } else nodes.push(node);
  }
  return quantiseTables({ ...graph, initializers, nodes });
}

function storeRows(initializers: Map<string, Tensor>, graph: Graph, name: string): [bytes: string, scale: string] {
  const names: [string, string] = [`${name}.int8`, `${name}.scale`];
  if (!initializers.has(names[0])) {
    const { quantised, scale } = quantiseRows(graph.initializers.get(name) as Tensor<"float32">);
    initializers.set(names[0], quantised).set(names[1], scale);
  }
  return names;
}
