/** `vectorCache`: what of earlier encodes is kept on disk. */
import { enableVectorCache, sharedVectorCache, type VectorCacheInfo } from "../encode/vector-cache.ts";

export type { VectorCacheInfo } from "../encode/vector-cache.ts";

/**
 * The cache of vectors: entries, bytes, limit, and hits of this kernel. Null where there is none (PARALLAX_CACHE=off, or
 * its files cannot be used).
 *
 * @example vectorCache()?.entries
 */
export function vectorCache(): VectorCacheInfo | null {
  enableVectorCache();
  return sharedVectorCache()?.info() ?? null;
}

/** Remove every vector from the cache. Results that were shown stay; encoding the same texts again takes its time. */
export async function clearVectorCache(): Promise<void> {
  enableVectorCache();
  await sharedVectorCache()?.clear();
}
