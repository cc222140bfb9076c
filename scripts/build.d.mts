/** Parts of dist/ that can be built alone. */
export type Part = "node" | "wasm" | "types" | "page";
export const root: string;
export function isBuilt(parts?: Part[]): boolean;
export function ensureBuilt(log?: (line: string) => void, parts?: Part[]): Promise<void>;
