/** WebAssembly as far as we use it: Node has it, but its types come with the DOM's, which this layer does not know. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
}

export interface WasmApi {
  /** Sizes in pages of 64 KiB. */
  Memory: new (size: {
    initial: number;
    maximum: number;
  }) => WasmMemory;
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object, imports: { env: { memory: WasmMemory } }) => { readonly exports: object };
}

export const wasm: WasmApi = (globalThis as unknown as { WebAssembly: WasmApi }).WebAssembly;
