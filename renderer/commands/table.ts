/** The one table of commands. Keys, palette, menus, help and the desktop menu read it. */
import type { App } from "../state/app.ts";
import { activeDocument } from "../state/selectors.ts";
import type { AppState } from "../state/types.ts";
import { appCommands } from "./app-commands.ts";
import { cellCommands } from "./cell-commands.ts";
import type { Command, When } from "./command.ts";
import type { Binding } from "./keys.ts";

export const commands: readonly Command[] = [...appCommands, ...cellCommands];

const byId = new Map(commands.map((command) => [command.id, command]));

export function findCommand(id: string): Command {
  const command = byId.get(id);
  if (!command) throw new Error(`No command is called ${id}.`);
  return command;
}

/** First key of a command, for menus and tooltips; "" when it has none. */
export function keysOf(id: string): string {
  return findCommand(id).keys[0] ?? "";
}

export function runCommand(app: App, id: string): void {
  const command = byId.get(id);
  if (!command || command.enabled?.(app.store.state) === false) return;
  try {
    void Promise.resolve(command.run(app)).catch((error: unknown) => app.report(error));
  } catch (error) {
    app.report(error);
  }
}

/** What the keyboard is in: decides which keys count. */
export interface KeyPlace {
  /** In a text field or an editor. */
  text: boolean;
  /** In a cell's editor. */
  editor: boolean;
  /** On a button or link, which keeps Enter and Space. */
  control: boolean;
  /** In a cell's output, which has keys of its own. */
  output: boolean;
}

export function bindingsFor(state: AppState, place: KeyPlace): Binding<string>[] {
  const doc = activeDocument(state);
  const notebook = doc !== null;
  // An editor that is not there yet: what is typed meanwhile must not delete cells.
  const waiting = doc?.mode === "edit" && !place.text;
  const allowed: Record<When, boolean> = {
    always: true,
    "outside-text": !place.text,
    notebook: notebook && (!place.text || place.editor),
    command: notebook && !waiting && !place.text && !place.output,
    edit: notebook && (place.editor || waiting),
  };
  const list: Binding<string>[] = [];
  for (const command of commands) {
    if (!allowed[command.when] || command.enabled?.(state) === false) continue;
    for (const keys of command.keys) {
      if (place.control && (keys === "Enter" || keys === "Space")) continue;
      list.push({ keys, value: command.id });
    }
  }
  return list;
}
