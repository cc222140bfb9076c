/** The shape of a command: one row of the table that keys, menus, palette and help are made from. */
import type { App } from "../state/app.ts";
import { activeDocument } from "../state/selectors.ts";
import type { AppState, DocumentState } from "../state/types.ts";

/**
 * Where its keys work: `always` also while typing; `outside-text` not in text fields; `command` in a notebook's command
 * mode; `edit` in a cell's editor; `notebook` in both modes.
 */
export type When = "always" | "outside-text" | "command" | "edit" | "notebook";

export type Group = "File" | "Run" | "Cell" | "Move" | "Kernel" | "View" | "Help";

export interface Command {
  id: string;
  /** Verb first, sentence case. */
  title: string;
  group: Group;
  keys: readonly string[];
  when: When;
  enabled?(state: AppState): boolean;
  run(app: App): unknown;
  /** Left out of the palette: only useful as a key. */
  keyOnly?: boolean;
}

export const hasDocument = (state: AppState) => activeDocument(state) !== null;
export const canEdit = (state: AppState) => activeDocument(state)?.readOnly === false;

/** A command's `run` for the notebook on screen. */
export function onDocument(run: (app: App, doc: DocumentState) => unknown): Command["run"] {
  return (app) => {
    const doc = activeDocument(app.store.state);
    return doc === null ? undefined : run(app, doc);
  };
}
