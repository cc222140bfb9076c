/** `parallax cache info` and `parallax cache clear`. */

import { formatBytes } from "../encode/embedding-set.ts";
import { enableVectorCache, removeVectorCache, sharedVectorCache } from "../encode/vector-cache.ts";
import type { CliRequest } from "../protocol/cli-messages.ts";
import type { Answer } from "./answer.ts";

export async function cache(request: Extract<CliRequest, { command: "cache" }>): Promise<Answer> {
  const problem = enableVectorCache();
  const shared = sharedVectorCache();
  if (request.action === "clear") {
    const before = shared?.info();
    if (shared === null) removeVectorCache();
    else await shared.clear();
    return {
      text:
        before === undefined
          ? "The cache of vectors was removed."
          : `${before.entries.toLocaleString("en-US")} vectors removed.`,
      json: { removed: before?.entries ?? null },
      ok: true,
    };
  }
  if (shared === null)
    return { text: problem ?? "The cache of vectors is off (PARALLAX_CACHE=off).", json: null, ok: problem === null };
  const { folder, entries, bytes, maxBytes } = shared.info();
  return {
    text: `${entries.toLocaleString("en-US")} vectors, ${formatBytes(bytes)} of at most ${formatBytes(maxBytes)}, in ${folder}`,
    json: { folder, entries, bytes, maxBytes },
    ok: true,
  };
}
