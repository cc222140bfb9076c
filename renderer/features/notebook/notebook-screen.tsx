import { useEffect, useMemo } from "react";
import { findCommand, runCommand } from "../../commands/table.ts";
import { useApp, useSelect } from "../../state/hooks.ts";
import { isBusy, staleCells } from "../../state/selectors.ts";
import type { DocumentState } from "../../state/types.ts";
import { Button, IconButton } from "../../ui/button.tsx";
import { keyText } from "../../ui/kbd.tsx";
import { MenuButton, type MenuItem } from "../../ui/menu.tsx";
import { AddStrip } from "./add-strip.tsx";
import { NotebookBars } from "./bars.tsx";
import { CellList } from "./cell-list.tsx";
import { useEditorTypes } from "./editor/use-editor-types.ts";
import "./notebook.css";

/** The notebook: its toolbar, its bars, its cells. */
export function NotebookScreen({ docId }: { docId: string }) {
  const doc = useSelect((state) => state.documents[docId] ?? null);
  useEditorTypes(doc);
  if (!doc) return null;
  return (
    <div className="notebook">
      <Toolbar doc={doc} />
      <NotebookBars doc={doc} />
      <div className="notebook-scroll">
        <div className="notebook-column">
          <CellList doc={doc} />
          {!doc.readOnly && <AddStrip docId={docId} index={doc.notebook.cells.length} always />}
          <FirstHelp doc={doc} />
        </div>
      </div>
    </div>
  );
}

const MENU = [
  "notebook.run-all",
  "kernel.restart",
  "kernel.restart-run-all",
  "kernel.shutdown",
  "|",
  "notebook.save-as",
  "notebook.clear-outputs",
  "notebook.line-numbers",
  "view.variables",
  "|",
  "app.help",
];

function Toolbar({ doc }: { doc: DocumentState }) {
  const app = useApp();
  const busy = isBusy(doc);
  const stale = useMemo(() => staleCells(doc).length, [doc]);
  const label = (id: string) => {
    const { title, keys } = findCommand(id);
    return keys[0] ? `${title} (${keyText(keys[0])})` : title;
  };
  const button = (id: string, icon: Parameters<typeof IconButton>[0]["icon"], disabled = false) => (
    <IconButton
      icon={icon}
      label={label(id)}
      disabled={disabled}
      onMouseDown={(event) => event.preventDefault()}
      onClick={() => runCommand(app, id)}
    />
  );
  useEffect(() => {
    document.title = `${doc.dirty ? "• " : ""}${doc.name} – Parallax`;
  }, [doc.dirty, doc.name]);
  return (
    // One stop for Tab would hide these from mouse users; they come after the cells in the order of focus.
    <div className="notebook-toolbar" role="toolbar" aria-label="Notebook">
      {button("notebook.save", "save", doc.readOnly)}
      <span className="gap" />
      {button("cell.insert-below", "plus", doc.readOnly)}
      {button("cell.cut", "cut", doc.readOnly)}
      {button("cell.copy", "copy")}
      <span className="gap" />
      {button("cell.run-next", "play", doc.readOnly)}
      {button("kernel.interrupt", "stop", !busy)}
      {button("kernel.restart", "restart")}
      <span className="gap" />
      {stale > 0 && (
        <Button size="small" className="stale-button" onClick={() => runCommand(app, "notebook.run-stale")}>
          ≠ Run stale cells ({stale})
        </Button>
      )}
      <span className="spring" />
      <IconButton icon="panel" label={label("view.variables")} onClick={() => runCommand(app, "view.variables")} />
      <MenuButton
        icon="more"
        label="More for the notebook"
        items={() =>
          MENU.map(
            (id, i): MenuItem =>
              id === "|"
                ? { kind: "separator", id: `s${i}` }
                : {
                    id,
                    label: findCommand(id).title,
                    keys: findCommand(id).keys[0] ?? "",
                    disabled: findCommand(id).enabled?.(app.store.state) === false,
                    onSelect: () => runCommand(app, id),
                  },
          )
        }
      />
    </div>
  );
}

const EXAMPLE = `import { encode, similarity } from "parallax";

const texts = ["How do I renew a passport?", "Passport office opening hours", "A recipe for lentil soup"];
const vectors = await encode(texts);
similarity(vectors);`;

/** Only in a notebook that holds nothing yet: one line of purpose and an example. */
function FirstHelp({ doc }: { doc: DocumentState }) {
  const app = useApp();
  const only = doc.notebook.cells.length === 1 ? doc.notebook.cells[0] : undefined;
  if (only?.cell_type !== "code" || only.source.trim() !== "" || doc.readOnly) return null;
  return (
    <div className="first-help">
      <p className="muted">
        Cells are TypeScript. <strong>{keyText("Shift+Enter")}</strong> runs one, <strong>?</strong> shows all keys.
      </p>
      <Button
        onClick={() => {
          app.edit(doc.docId, [{ type: "set-source", cellId: only.id, source: EXAMPLE }]);
          app.store.dispatch({
            type: "cell.selected",
            docId: doc.docId,
            cellId: only.id,
            mode: "command",
            focus: "cell",
          });
        }}
      >
        Insert example
      </Button>
    </div>
  );
}
