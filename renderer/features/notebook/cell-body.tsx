import { useRef, useState } from "react";
import type { Cell } from "../../../notebooks/format/model.ts";
import { useApp } from "../../state/hooks.ts";
import { Markdown } from "../../ui/markdown.tsx";
import { CellEditor } from "./editor/cell-editor.tsx";
import { useMonaco } from "./editor/load.ts";
import { StaticCode } from "./static-code.tsx";

interface CellBodyProps {
  docId: string;
  cell: Cell;
  name: string;
  near: boolean;
  edit: boolean;
  markdownSource: boolean;
  readOnly: boolean;
  lineNumbers: boolean;
  placeholder?: string | undefined;
  focusSerial: number | null;
}

/** The source of a cell: rendered text, or code in an editor when it is near and as plain coloured text otherwise. */
export function CellBody(props: CellBodyProps) {
  const { docId, cell, near, markdownSource, lineNumbers, placeholder } = props;
  const app = useApp();
  const [height, setHeight] = useState<number | null>(null);
  const box = useRef<HTMLDivElement>(null);
  const rendered = cell.cell_type === "markdown" && !markdownSource;
  const chunk = useMonaco((near || props.edit) && !rendered);

  const edit = () => {
    if (cell.cell_type === "markdown")
      app.store.dispatch({ type: "markdown.edited", docId, cellId: cell.id, editing: true });
    app.store.dispatch({ type: "cell.selected", docId, cellId: cell.id, mode: "edit", focus: "editor" });
  };

  if (rendered)
    return (
      // biome-ignore lint/a11y/noStaticElementInteractions: Enter on the cell does the same
      <div className="cell-prose" onDoubleClick={edit}>
        {cell.source.trim() === "" ? (
          <p className="faint">Empty text cell. Press Enter to write.</p>
        ) : (
          <Markdown source={cell.source} {...(cell.attachments ? { attachments: cell.attachments } : {})} />
        )}
      </div>
    );
  const language = cell.cell_type === "code" ? "typescript" : cell.cell_type === "markdown" ? "markdown" : "raw";
  const live = chunk !== null && (near || props.edit);
  return (
    <div ref={box} className={`cell-source ${cell.cell_type}`} style={live && height !== null ? { height } : {}}>
      {live ? (
        <CellEditor
          chunk={chunk}
          docId={docId}
          cellId={cell.id}
          type={cell.cell_type}
          source={cell.source}
          name={`${props.name}, editor`}
          readOnly={props.readOnly}
          lineNumbers={lineNumbers}
          placeholder={placeholder}
          focusSerial={props.focusSerial}
          onHeight={setHeight}
        />
      ) : (
        // biome-ignore lint/a11y/noStaticElementInteractions: Enter on the cell does the same
        <div onMouseDown={edit}>
          <StaticCode source={cell.source} language={language} lineNumbers={lineNumbers} placeholder={placeholder} />
        </div>
      )}
    </div>
  );
}
