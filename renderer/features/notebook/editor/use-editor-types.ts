/** Keeps the TypeScript worker informed: declarations of "parallax" once, the notebook's code cells as they change. */
import { useEffect, useMemo } from "react";
import type { App } from "../../../state/app.ts";
import { useApp } from "../../../state/hooks.ts";
import type { DocumentState } from "../../../state/types.ts";
import { disposeModels } from "./cell-editor.tsx";
import { cellUri } from "./cells-file.ts";
import { loadMonaco, type MonacoChunk, useMonaco } from "./load.ts";
import { setCells, setLibraries } from "./typescript.ts";

const CELLS_MS = 250;

let libraries: Promise<void> | null = null;

/** Asked once per page; a failure only means that completion knows less. */
function loadLibraries(app: App, chunk: MonacoChunk): Promise<void> {
  libraries ??= app.client.call("app.editor-types", {}).then(
    ({ files }) => setLibraries(chunk.typescriptDefaults, files),
    (error: unknown) => {
      libraries = null;
      console.warn("The declarations of parallax could not be loaded for the editor.", error);
    },
  );
  return libraries;
}

export function useEditorTypes(doc: DocumentState | null): void {
  const app = useApp();
  const chunk = useMonaco(true);
  const docId = doc?.docId ?? null;
  const cells = doc?.notebook.cells;

  useEffect(() => {
    if (chunk) void loadLibraries(app, chunk);
  }, [app, chunk]);

  const list = useMemo(
    () =>
      docId === null || !cells
        ? []
        : cells
            .filter((cell) => cell.cell_type === "code")
            .map((cell) => ({ uri: cellUri(docId, cell.id), text: cell.source })),
    [docId, cells],
  );
  const key = useMemo(() => list.map((cell) => `${cell.uri}\n${cell.text}`).join("\n"), [list]);

  // biome-ignore lint/correctness/useExhaustiveDependencies: `key` is the content of `list`
  useEffect(() => {
    if (!chunk || docId === null) return;
    const timer = setTimeout(() => setCells(chunk.typescriptDefaults, docId, list), CELLS_MS);
    return () => clearTimeout(timer);
  }, [chunk, docId, key]);

  useEffect(() => {
    if (docId === null) return;
    return () => {
      // Another tab may only hide it: models go when the notebook is closed.
      if (app.store.state.documents[docId]) return;
      void loadMonaco().then((loaded) => {
        setCells(loaded.typescriptDefaults, docId, null);
        disposeModels(loaded, docId);
      });
    };
  }, [app, docId]);
}
