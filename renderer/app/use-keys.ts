import { useEffect } from "react";
import { KeyResolver } from "../commands/keys.ts";
import { bindingsFor, findCommand, type KeyPlace, runCommand } from "../commands/table.ts";
import { useApp } from "../state/hooks.ts";
import { activeDocument } from "../state/selectors.ts";
import { isMac } from "../ui/kbd.tsx";
import { cycleRegion } from "./regions.ts";

/** One listener for the whole page: finds the command of a key by the place where it was pressed. */
export function useKeys(): void {
  const app = useApp();
  useEffect(() => {
    const resolver = new KeyResolver(isMac);
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing) return;
      if (event.key === "F6") {
        event.preventDefault();
        cycleRegion(event.shiftKey ? -1 : 1);
        return;
      }
      const place = placeOf(event.target);
      if (event.key === "Escape" && place.output) {
        leaveOutput(app);
        event.preventDefault();
        return;
      }
      const found = resolver.resolve(event, bindingsFor(app.store.state, place), Date.now());
      if (found === null) return;
      if (found === "pending") {
        event.preventDefault();
        return;
      }
      // A selection of text is copied by the browser, cells by us.
      if (findCommand(found).id === "cell.copy" && event.ctrlKey) return;
      event.preventDefault();
      runCommand(app, found);
    };
    const onCommand = app.client.on("app.command", ({ command }) => runCommand(app, command));
    window.addEventListener("keydown", onKeyDown);
    return () => {
      window.removeEventListener("keydown", onKeyDown);
      onCommand();
    };
  }, [app]);
}

function placeOf(target: EventTarget | null): KeyPlace {
  const element = target instanceof Element ? target : null;
  const editor = element?.closest("[data-cell-editor]") != null;
  const text =
    editor ||
    element?.closest(
      "input:not([type=radio]):not([type=checkbox]):not([type=range]), textarea, select, [contenteditable=true], .monaco-editor",
    ) != null;
  const output = element?.closest("[data-output]") != null;
  const control = element?.closest("button, a[href], [role=tab], [role=menuitem], input") != null;
  return { text, editor, control, output };
}

function leaveOutput(app: ReturnType<typeof useApp>): void {
  const doc = activeDocument(app.store.state);
  if (doc?.active)
    app.store.dispatch({ type: "cell.selected", docId: doc.docId, cellId: doc.active, mode: "command", focus: "cell" });
}
