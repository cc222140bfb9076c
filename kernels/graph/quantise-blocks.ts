/** Weights of 4 or 8 bits with a scale for each short block of a row. */
import { type Graph, int } from "./ir.ts";
import { layerBias, layerRows, linearLayer } from "./linear-layers.ts";
import { prune } from "./passes.ts";
import { quantiseBlocks as roundBlocks } from "./quantise-rows.ts";
import { quantiseTables } from "./quantise-weights.ts";
import { GraphEdit, MICROSOFT, withMicrosoft } from "./rewrite.ts";

/** Numbers a block. Larger blocks are a little faster and clearly worse. */
const BLOCK = 32;
/** ONNX Runtime's accuracy_level: 1 computes in float32; 4 rounds activations to 8 bits too, which was no faster here. */
const ACCURACY = { 4: 1, 8: 1 } as const;

/**
 * Every linear layer becomes com.microsoft MatMulNBits, tables int8 with one scale a row. Only weights are rounded, so a
 * vector does not depend on its batch. 0.56 bytes a weight at 4 bits, 1.13 at 8.
 */
export function quantiseBlocks(graph: Graph, bits: 4 | 8): Graph {
  const edit = new GraphEdit(graph);
  for (const node of graph.nodes) {
    const layer = linearLayer(node, graph);
    if (!layer) {
      edit.nodes.push(node);
      continue;
    }
    const [out] = node.outputs;
    const { quantised, scale } = roundBlocks(layerRows(graph, layer), bits, BLOCK);
    const weight = edit.constant(`${out}/weight.blocks`, quantised);
    const scales = edit.constant(`${out}/weight.scale`, scale);
    const bias = layerBias(graph, layer);
    const added = bias === undefined ? "" : edit.constant(`${out}/bias`, bias);
    edit.add("MatMulNBits", [node.inputs[0], weight, scales, "", "", added], out, {
      domain: MICROSOFT,
      attributes: {
        K: int(layer.inputSize),
        N: int(layer.outputSize),
        bits: int(bits),
        block_size: int(BLOCK),
        accuracy_level: int(ACCURACY[bits]),
      },
    });
  }
  return withMicrosoft(prune(quantiseTables(edit.finish())));
}
