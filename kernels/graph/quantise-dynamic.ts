/** Linear layers in 8-bit integers: weights rounded beforehand, activations while the graph runs. */
import type { Graph } from "./ir.ts";
import { layerBias, layerRows, linearLayer, transposedMatrix } from "./linear-layers.ts";
import { prune } from "./passes.ts";
import { quantiseRows } from "./quantise-rows.ts";
import { quantiseTables } from "./quantise-weights.ts";
import { GraphEdit, MICROSOFT, withMicrosoft } from "./rewrite.ts";

/**
 * Signed weights of 7 bits: on processors without VNNI, ONNX Runtime multiplies in pairs (vpmaddubsw) whose 16-bit sum
 * holds 2·255·63. With 8 bits the sum would saturate there, unnoticed, and every machine would give other numbers.
 */
const LIMIT = 63;

/**
 * Every linear layer becomes DynamicQuantizeLinear (once per input) → com.microsoft MatMulIntegerToFloat, with weights
 * in int8, one scale an output; tables are int8 with one scale a row. Attention, norms and activations stay float32.
 *
 * The activations of a run share one scale and zero point, so a vector depends a little on the texts it is encoded with:
 * the one precision of which that is true. Largest error of a weight: its row's largest magnitude / 126.
 */
export function quantiseDynamic(graph: Graph): Graph {
  const edit = new GraphEdit(graph);
  const inputs = new Map<string, { bytes: string; scale: string; zero: string }>();
  for (const node of graph.nodes) {
    const layer = linearLayer(node, graph);
    if (!layer) {
      edit.nodes.push(node);
      continue;
    }
    const [x] = node.inputs;
    let input = inputs.get(x);
    if (!input) {
      input = { bytes: `${x}/uint8`, scale: `${x}/scale`, zero: `${x}/zero` };
      inputs.set(x, input);
      const outputs = [input.bytes, input.scale, input.zero];
      edit.nodes.push({ op: "DynamicQuantizeLinear", name: input.bytes, inputs: [x], outputs, attributes: {} });
    }
    const [out] = node.outputs;
    const { quantised, scale } = quantiseRows(layerRows(graph, layer), LIMIT);
    const weight = edit.constant(`${out}/weight.int8`, transposedMatrix(quantised));
    const scales = edit.constant(`${out}/weight.scale`, scale);
    const bias = layerBias(graph, layer);
    const added = bias === undefined ? "" : edit.constant(`${out}/bias`, bias);
    edit.add("MatMulIntegerToFloat", [input.bytes, weight, input.scale, scales, input.zero, "", added], out, {
      domain: MICROSOFT,
    });
  }
  return withMicrosoft(prune(quantiseTables(edit.finish())));
}
