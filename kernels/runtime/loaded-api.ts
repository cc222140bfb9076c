/** The API and what a kernel needs to know about its state. Loaded with the first import of "parallax", which takes time. */
export { disposeEncoders, loadedEncoders } from "../api/encoder.ts";
export * as api from "../api/index.ts";
export { defaultCompute } from "../graph/compute.ts";
