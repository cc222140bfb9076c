/** Everything that trains is a cell: this writes one into the notebook that was in front last, and runs it. */
import { newNotebook, openExample } from "../../commands/app-commands.ts";
import type { App } from "../../state/app.ts";
import { targetDocument } from "../../state/selectors.ts";
import type { DocumentState } from "../../state/types.ts";
import { announce } from "../../ui/announce.ts";
import { placeCell, SAMPLE_CELL } from "./new-run.ts";

export interface WrittenCell {
  docId: string;
  cellId: string;
  notebook: string;
}

/** Null when there is no notebook to write into and none could be made; why is shown already. */
export async function writeCell(
  app: App,
  source: (doc: DocumentState) => string,
  { run, stay }: { run: boolean; stay: boolean },
): Promise<WrittenCell | null> {
  const before = app.store.state.tabs[app.store.state.activeTab];
  if (targetDocument(app.store.state) === null && !(await newNotebook(app))) return null;
  const doc = targetDocument(app.store.state);
  if (doc === null) return null;
  const { ops, cellId } = placeCell(doc, source(doc));
  app.edit(doc.docId, ops, { active: cellId });
  // A new notebook came to the front; the user is on another screen and stays there.
  if (stay && before !== undefined) app.store.dispatch({ type: "screen.shown", tab: before });
  if (!stay) showCell(app, { docId: doc.docId, cellId, notebook: doc.name });
  announce(`A cell was added to ${doc.name}.${run ? " It runs now." : ""}`);
  if (run) void app.run(doc.docId, [cellId]);
  return { docId: doc.docId, cellId, notebook: doc.name };
}

export function showCell(app: App, { docId, cellId }: WrittenCell): void {
  app.store.dispatch({ type: "screen.shown", tab: { kind: "notebook", docId } });
  app.store.dispatch({ type: "cell.selected", docId, cellId, mode: "command", focus: "cell" });
}

/** The example's data lie beside its copy, so that is where the sample's cell goes. */
export async function runSample(app: App): Promise<WrittenCell | null> {
  const before = app.store.state.tabs[app.store.state.activeTab];
  if (!(await openExample(app, "start-here", "Start here"))) return null;
  const written = await writeCell(app, () => SAMPLE_CELL, { run: true, stay: true });
  if (before !== undefined) app.store.dispatch({ type: "screen.shown", tab: before });
  return written;
}
