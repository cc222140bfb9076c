/** Sixteen-bit floats: see kernels/graph/half.ts. */
export { bfloatToFloat, floatToHalf, halfToFloat } from "../graph/half.ts";
