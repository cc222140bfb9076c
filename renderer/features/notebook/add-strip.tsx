import { memo } from "react";
import type { CellType } from "../../../notebooks/format/model.ts";
import { insertAt } from "../../commands/cell-ops.ts";
import { useApp } from "../../state/hooks.ts";

/** Between two cells: "+ code  + text", seen on hover and focus. */
export const AddStrip = memo(function AddStrip({
  docId,
  index,
  always = false,
}: {
  docId: string;
  index: number;
  always?: boolean;
}) {
  const app = useApp();
  const add = (type: CellType) => {
    const edit = insertAt(index, type);
    app.edit(docId, edit.ops, { active: edit.active ?? null });
    if (!edit.active) return;
    if (type === "markdown") app.store.dispatch({ type: "markdown.edited", docId, cellId: edit.active, editing: true });
    app.store.dispatch({ type: "cell.selected", docId, cellId: edit.active, mode: "edit", focus: "editor" });
  };
  const where = always ? "at the end" : `at place ${index + 1}`;
  return (
    // Between the cells it is for the mouse: the keyboard has A and B, and a list may hold its items only.
    <div className={`add-strip ${always ? "always" : ""}`} aria-hidden={!always}>
      <button
        type="button"
        tabIndex={always ? 0 : -1}
        onClick={() => add("code")}
        aria-label={`Add a code cell ${where}`}
      >
        + code
      </button>
      <button
        type="button"
        tabIndex={always ? 0 : -1}
        onClick={() => add("markdown")}
        aria-label={`Add a text cell ${where}`}
      >
        + text
      </button>
    </div>
  );
});
