import type { Cell } from "../../../notebooks/format/model.ts";
import { findCommand, keysOf, runCommand } from "../../commands/table.ts";
import { useApp } from "../../state/hooks.ts";
import { IconButton } from "../../ui/button.tsx";
import { keyText } from "../../ui/kbd.tsx";
import { MenuButton, type MenuItem } from "../../ui/menu.tsx";

interface CellToolbarProps {
  docId: string;
  cell: Cell;
  running: boolean;
  number: number;
  readOnly: boolean;
}

/** Right of a cell: run or stop, and the menu of everything else. */
export function CellToolbar({ docId, cell, running, number, readOnly }: CellToolbarProps) {
  const app = useApp();
  const choose = () => app.store.dispatch({ type: "cell.selected", docId, cellId: cell.id, mode: "command" });
  const item = (id: string, options: Partial<Extract<MenuItem, { onSelect: unknown }>> = {}): MenuItem => ({
    id,
    label: findCommand(id).title,
    keys: keysOf(id),
    disabled: findCommand(id).enabled?.(app.store.state) === false,
    onSelect: () => runCommand(app, id),
    ...options,
  });
  const items = (): MenuItem[] => {
    choose();
    const code = cell.cell_type === "code";
    return [
      ...(code ? [item("cell.run"), item("notebook.run-to")] : [item("cell.edit")]),
      { kind: "separator", id: "s1" },
      item("cell.insert-above"),
      item("cell.insert-below"),
      item("cell.move-up"),
      item("cell.move-down"),
      item("cell.merge", { label: "Merge with the cell below" }),
      { kind: "separator", id: "s2" },
      item("cell.cut"),
      item("cell.copy"),
      item("cell.paste"),
      { kind: "separator", id: "s3" },
      ...(code ? [item("cell.to-markdown"), item("cell.toggle-output")] : [item("cell.to-code")]),
      item("cell.delete", { danger: true, label: "Delete the cell" }),
    ];
  };
  return (
    // The press must not take the focus away from the cell.
    // biome-ignore lint/a11y/noStaticElementInteractions: only keeps the focus where it is
    <div className="cell-toolbar" onMouseDown={(event) => event.preventDefault()}>
      {cell.cell_type === "code" &&
        (running ? (
          <IconButton
            icon="stop"
            label={`Stop cell ${number} (${keyText("I I")})`}
            tabIndex={-1}
            className="stop"
            onClick={() => void app.attempt("kernel.interrupt", { docId })}
          />
        ) : (
          <IconButton
            icon="play"
            label={`Run cell ${number} (${keyText("Mod+Enter")})`}
            tabIndex={-1}
            disabled={readOnly}
            onClick={() => {
              choose();
              runCommand(app, "cell.run");
            }}
          />
        ))}
      <MenuButton icon="more" label={`More for cell ${number}`} items={items} tabIndex={-1} />
    </div>
  );
}
