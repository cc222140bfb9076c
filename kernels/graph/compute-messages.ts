/** What the compute thread and its owner say to each other. */
import type { ErrorData } from "../protocol/errors.ts";
import type { ProviderReport, SessionOptions } from "./compute-types.ts";
import type { ValueInfo } from "./ir.ts";
import type { NodePlacement } from "./placement.ts";
import type { Tensor } from "./tensor.ts";

export type ComputeRequest =
  | {
      method: "create";
      source: { bytes: Uint8Array; externalData?: { path: string; data: Uint8Array }[] } | { path: string };
      options: SessionOptions;
    }
  | { method: "run"; session: number; feeds: Record<string, Tensor>; outputs?: readonly string[] }
  | { method: "placement"; session: number }
  | { method: "dispose"; session: number }
  | { method: "counts" }
  | { method: "collect" }
  | { method: "stop" }
  | { method: "runtime" };

export interface ComputeCall {
  id: number;
  request: ComputeRequest;
}

export type ComputeAnswer = { id: number; result: unknown } | { id: number; error: ErrorData };

export interface CreatedSession {
  session: number;
  report: ProviderReport;
  inputs: readonly ValueInfo[];
  outputs: readonly ValueInfo[];
}

export interface PlacementAnswer {
  placement: NodePlacement[] | undefined;
  report: ProviderReport;
}

/** What the thread is started with. */
export interface ComputeThreadData {
  /** Two shared numbers, see `STOPPING` and `BUSY`. */
  state: Int32Array<SharedArrayBuffer>;
}

/** Index of the number that the owner sets to 1 when nothing new may start. */
export const STOPPING = 0;
/** Index of the number that is 1 while ONNX Runtime works. */
export const BUSY = 1;
