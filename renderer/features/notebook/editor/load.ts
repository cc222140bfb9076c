/** Loads the editor's chunk once, when the first cell needs it. */
import { useEffect, useState } from "react";

export type MonacoChunk = typeof import("./monaco.ts");

let loading: Promise<MonacoChunk> | null = null;
let loaded: MonacoChunk | null = null;

export function loadMonaco(): Promise<MonacoChunk> {
  loading ??= import("./monaco.ts").then(async (chunk) => {
    // The grammar comes in a chunk of its own; without it the first editors would show their text in one colour.
    await chunk.monaco.editor.colorize("", "typescript", {});
    loaded = chunk;
    return chunk;
  });
  return loading;
}

/** The editor once it is there; null before. */
export function useMonaco(wanted: boolean): MonacoChunk | null {
  const [chunk, setChunk] = useState(loaded);
  useEffect(() => {
    if (!wanted || chunk) return;
    let here = true;
    loadMonaco().then(
      (found) => here && setChunk(found),
      (error: unknown) => {
        // Cells stay readable without it; the next focus tries again.
        loading = null;
        console.error("The editor could not be loaded.", error);
      },
    );
    return () => {
      here = false;
    };
  }, [wanted, chunk]);
  return chunk;
}
