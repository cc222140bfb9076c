import { Fragment, useMemo } from "react";
import { cellState, selectedCells, staleCells } from "../../state/selectors.ts";
import type { DocumentState } from "../../state/types.ts";
import { AddStrip } from "./add-strip.tsx";
import { CellView } from "./cell-view.tsx";

const EXAMPLE_LINE = 'import { encode, map } from "parallax";';

/** All cells of a notebook in one labelled list. */
export function CellList({ doc }: { doc: DocumentState }) {
  const { docId, notebook } = doc;
  const selected = useMemo(() => new Set(selectedCells(doc).map((cell) => cell.id)), [doc]);
  const staleCount = staleCells(doc).length;
  const only = notebook.cells.length === 1 ? notebook.cells[0] : undefined;
  return (
    // biome-ignore lint/a11y/useSemanticElements: cells are articles, the list is only a role
    <div
      className={`cell-list ${notebook.cells.length > 60 ? "long" : ""}`}
      role="list"
      aria-label={`Cells of ${doc.name}`}
    >
      {notebook.cells.map((cell, index) => (
        <Fragment key={cell.id}>
          {!doc.readOnly && index > 0 && <AddStrip docId={docId} index={index} />}
          <CellView
            docId={docId}
            cell={cell}
            number={index + 1}
            state={cellState(doc, cell.id)}
            lastGood={doc.lastGood[cell.id] ?? null}
            active={doc.active === cell.id}
            selected={selected.size > 1 && selected.has(cell.id)}
            edit={doc.active === cell.id && doc.mode === "edit"}
            markdownSource={doc.editing[cell.id] === true}
            readOnly={doc.readOnly}
            lineNumbers={doc.lineNumbers}
            focus={doc.focus?.cellId === cell.id ? doc.focus : null}
            staleCount={cellState(doc, cell.id).stale === null ? 0 : staleCount}
            placeholder={only === cell && cell.cell_type === "code" ? EXAMPLE_LINE : undefined}
          />
        </Fragment>
      ))}
    </div>
  );
}
