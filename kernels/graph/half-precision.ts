/** Weights stored in 16 bits, the arithmetic in float32: half the file, and no rounding of what a graph computes. */
import { floatToHalf } from "./half.ts";
import { type Graph, int, type Node } from "./ir.ts";
import { gatheredTable, linearLayer } from "./linear-layers.ts";
import { prune } from "./passes.ts";
import { type Tensor, tensor } from "./tensor.ts";

/** Number of float32 in ONNX files. */
const FLOAT32 = 1;

/**
 * Large matrices and tables as float16 with a Cast behind them; of a table only the gathered rows are widened. ONNX
 * Runtime widens the matrices once, while loading. Numbers past 65504 would become infinite: such a matrix stays float32.
 */
export function storeHalf(graph: Graph): Graph {
  const initializers = new Map(graph.initializers);
  const nodes: Node[] = [];
  const wide = new Map<string, string>();
  const half = (name: string): string | undefined => {
    const stored = `${name}.float16`;
    if (initializers.has(stored)) return stored;
    const value = graph.initializers.get(name) as Tensor<"float32">;
    if (value.data.some((x) => Math.abs(x) >= 65_520)) return undefined;
    initializers.set(stored, tensor("float16", value.dims, floatToHalf(value.data)));
    return stored;
  };
  const cast = (from: string, to: string) =>
    nodes.push({ op: "Cast", name: `${to}/widened`, inputs: [from], outputs: [to], attributes: { to: int(FLOAT32) } });
  for (const node of graph.nodes) {
    const layer = linearLayer(node, graph);
    const table = gatheredTable(node, graph);
    const name = layer?.weight ?? table;
    const stored = name === undefined ? undefined : half(name);
    if (name === undefined || stored === undefined) nodes.push(node);
    else if (table !== undefined) {
      nodes.push({ ...node, inputs: [stored, node.inputs[1]], outputs: [`${node.outputs[0]}.float16`] });
      cast(`${node.outputs[0]}.float16`, node.outputs[0]);
    } else {
      if (!wide.has(name)) cast(stored, `${name}.float32`);
      wide.set(name, `${name}.float32`);
      nodes.push({ ...node, inputs: node.inputs.map((input, i) => (i === 1 ? `${name}.float32` : input)) });
    }
  }
  return prune({ ...graph, initializers, nodes });
}
