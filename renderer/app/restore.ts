/** A page that is loaded again opens the notebooks that it had. The host keeps their edits and kernels meanwhile. */
import { openPath } from "../commands/app-commands.ts";
import type { App } from "../state/app.ts";
import { activeDocument } from "../state/selectors.ts";

const KEY = "parallax.open";

interface Kept {
  paths: string[];
  active: string | null;
}

/** Writes down what is open, in this browser tab only, whenever it changes. */
export function keepOpen(app: App): () => void {
  let last = "";
  return app.store.subscribe(() => {
    const { state } = app.store;
    const paths = state.tabs.flatMap((tab) => {
      const path = tab.kind === "notebook" ? state.documents[tab.docId]?.path : null;
      return path === null || path === undefined ? [] : [path];
    });
    const kept: Kept = { paths, active: activeDocument(state)?.path ?? null };
    const text = JSON.stringify(kept);
    if (text === last) return;
    last = text;
    sessionStorage.setItem(KEY, text);
  });
}

/** Opens what was written down; the one that was in front comes last, and so in front again. */
export async function reopen(app: App): Promise<void> {
  const text = sessionStorage.getItem(KEY);
  if (text === null) return;
  const { paths, active } = JSON.parse(text) as Kept;
  for (const path of [...paths.filter((path) => path !== active), ...paths.filter((path) => path === active)])
    await openPath(app, path);
}
