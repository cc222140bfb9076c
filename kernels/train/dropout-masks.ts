/** The masks of one step's dropout, from (seed, step, chunk) alone. */
import { readFileSync } from "node:fs";
import path from "node:path";
import { packageRoot } from "../graph/package-root.ts";
import { type Tensor, tensor } from "../graph/tensor.ts";
import { type DropoutSite, maskLength } from "../model/dropout.ts";
import { Random } from "./prng.ts";
import { type WasmMemory, wasm } from "./wasm.ts";

interface Exports {
  fillMask(address: number, n: number, state: bigint, threshold: number): bigint;
}

const PAGE = 65_536;

/**
 * Masks for every site of a graph. The buffer is used again by the next call, so a step's masks are good until then.
 * Cost: about 1 ns a number, one byte each.
 */
export class DropoutMasks {
  readonly #sites: readonly DropoutSite[];
  #memory: WasmMemory | undefined;
  #exports: Exports | undefined;

  constructor(sites: readonly DropoutSite[]) {
    this.#sites = sites;
  }

  /**
   * @param n texts, t tokens each padded to; @param stream which draws: the same stream gives the same masks.
   * @returns bool tensors by input name
   */
  feeds(n: number, t: number, stream: readonly (number | string)[]): Record<string, Tensor> {
    if (this.#sites.length === 0) return {};
    const lengths = this.#sites.map((site) => maskLength(site, n, t));
    const { exports, memory } = this.#reserve(lengths.reduce((sum, length) => sum + length, 0));
    const random = new Random(...stream, "dropout");
    let state = (BigInt(random.uint32()) << 32n) | BigInt(random.uint32());
    let address = 0;
    return Object.fromEntries(
      this.#sites.map((site, i) => {
        const length = lengths[i]!;
        state = exports.fillMask(address, length, state, Math.round(site.keep * 65_536));
        const dims = site.kind === "rows" ? [n * t, site.width] : [n, site.heads, t, t];
        const mask = tensor("bool", dims, new Uint8Array(memory.buffer, address, length));
        address += length;
        return [site.input, mask];
      }),
    );
  }

  /** A memory never shrinks and is made anew when it must grow: views of the old one stay whole. */
  #reserve(bytes: number): { exports: Exports; memory: WasmMemory } {
    if (this.#memory === undefined || this.#exports === undefined || this.#memory.buffer.byteLength < bytes) {
      const pages = Math.max(1, Math.ceil((bytes * 1.25) / PAGE));
      this.#memory = new wasm.Memory({ initial: pages, maximum: pages });
      const file = path.join(packageRoot(), "dist/kernels/train/dropout.wasm");
      const module = new wasm.Module(readFileSync(file));
      this.#exports = new wasm.Instance(module, { env: { memory: this.#memory } }).exports as Exports;
    }
    return { exports: this.#exports, memory: this.#memory };
  }
}
