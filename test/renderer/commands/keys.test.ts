import { expect, it } from "vitest";
import { chordOf, chordsOf, type KeyPress, KeyResolver, SEQUENCE_MS } from "../../../renderer/commands/keys.ts";
import { bindingsFor, commands } from "../../../renderer/commands/table.ts";
import { initialState, reduce } from "../../../renderer/state/reducer.ts";
import { openedNotebook } from "../../support/opened-notebook.ts";

const press = (key: string, more: Partial<KeyPress> = {}): KeyPress => ({
  key,
  code: /^[a-z]$/i.test(key) ? `Key${key.toUpperCase()}` : key,
  ctrlKey: false,
  metaKey: false,
  altKey: false,
  shiftKey: false,
  ...more,
});

it("writes presses as the table does", () => {
  expect(chordOf(press("a"), false)).toBe("A");
  expect(chordOf(press("Z", { shiftKey: true }), false)).toBe("Shift+Z");
  expect(chordOf(press("Enter", { ctrlKey: true }), false)).toBe("Mod+Enter");
  expect(chordOf(press("Enter", { ctrlKey: true }), true)).toBe("Ctrl+Enter");
  expect(chordOf(press("Enter", { metaKey: true }), true)).toBe("Mod+Enter");
  expect(chordOf(press("?", { shiftKey: true, code: "Slash" }), false)).toBe("?");
  expect(chordOf(press("_", { shiftKey: true, ctrlKey: true, code: "Minus" }), false)).toBe("Mod+Shift+-");
  expect(chordOf(press("ф", { code: "KeyA" }), false)).toBe("A");
  expect(chordOf(press("Shift", { shiftKey: true }), false)).toBeNull();
});

it("reads Ctrl as Mod where there is no command key", () => {
  expect(chordsOf("Ctrl+Shift+-", false)).toEqual(["Mod+Shift+-"]);
  expect(chordsOf("Ctrl+Shift+-", true)).toEqual(["Ctrl+Shift+-"]);
  expect(chordsOf("D D", false)).toEqual(["D", "D"]);
  expect(chordsOf("Mod+,", false)).toEqual(["Mod+,"]);
});

it("takes the second press of a sequence only in time", () => {
  const keys = new KeyResolver(false);
  const bindings = [
    { keys: "D D", value: "delete" },
    { keys: "D", value: "never" },
  ].slice(0, 1);
  expect(keys.resolve(press("d"), bindings, 0)).toBe("pending");
  expect(keys.resolve(press("d"), bindings, 100)).toBe("delete");
  expect(keys.resolve(press("d"), bindings, 200)).toBe("pending");
  expect(keys.resolve(press("d"), bindings, 201 + SEQUENCE_MS)).toBe("pending");
  expect(keys.resolve(press("x"), bindings, 202 + SEQUENCE_MS)).toBeNull();
});

it("gives no key two meanings in one place", () => {
  const state = reduce(initialState, { type: "document.opened", opened: openedNotebook(["a", "b"]) });
  for (const place of [
    { text: false, editor: false, control: false, output: false },
    { text: true, editor: true, control: false, output: false },
  ]) {
    const seen = new Map<string, string>();
    for (const { keys, value } of bindingsFor(state, place)) {
      const chord = chordsOf(keys, false).join(" ");
      expect(seen.get(chord) ?? value, `${chord} in ${JSON.stringify(place)}`).toBe(value);
      seen.set(chord, value);
    }
  }
});

it("keeps Jupyter's keys", () => {
  const table = new Map(commands.flatMap((command) => command.keys.map((keys) => [keys, command.id])));
  const jupyter = {
    "Shift+Enter": "cell.run-next",
    "Mod+Enter": "cell.run",
    "Alt+Enter": "cell.run-insert",
    Enter: "cell.edit",
    "Ctrl+M": "cell.command-mode",
    A: "cell.insert-above",
    B: "cell.insert-below",
    X: "cell.cut",
    C: "cell.copy",
    V: "cell.paste",
    "D D": "cell.delete",
    Z: "cell.undo",
    "Shift+Z": "cell.redo",
    M: "cell.to-markdown",
    Y: "cell.to-code",
    R: "cell.to-raw",
    "1": "cell.heading-1",
    "Shift+M": "cell.merge",
    "Ctrl+Shift+-": "cell.split",
    "I I": "kernel.interrupt",
    "0 0": "kernel.restart",
    "Shift+L": "notebook.line-numbers",
    "G G": "notebook.run-stale",
  };
  expect(Object.fromEntries(Object.keys(jupyter).map((keys) => [keys, table.get(keys)]))).toEqual(jupyter);
});

it("leaves Enter to a button and letters to a text field", () => {
  const state = reduce(initialState, { type: "document.opened", opened: openedNotebook(["a"]) });
  const ids = (place: Parameters<typeof bindingsFor>[1]) => bindingsFor(state, place).map((binding) => binding.value);
  expect(ids({ text: false, editor: false, control: true, output: false })).not.toContain("cell.edit");
  const typing = ids({ text: true, editor: false, control: true, output: false });
  expect(typing).not.toContain("cell.insert-above");
  expect(typing).toContain("notebook.save");
});
