import { memo, useContext, useEffect, useLayoutEffect, useRef } from "react";
import type { CellState } from "../../../kernels/protocol/host-methods.ts";
import type { CellFrame } from "../../../kernels/protocol/kernel-messages.ts";
import type { Cell } from "../../../notebooks/format/model.ts";
import { isOutputHidden } from "../../commands/cell-ops.ts";
import { runCommand } from "../../commands/table.ts";
import { useApp } from "../../state/hooks.ts";
import type { FocusWish, LastGood } from "../../state/types.ts";
import { Button } from "../../ui/button.tsx";
import { Kbd } from "../../ui/kbd.tsx";
import { CellBody } from "./cell-body.tsx";
import { CellGutter } from "./cell-gutter.tsx";
import { CellProgress } from "./cell-progress.tsx";
import { CellToolbar } from "./cell-toolbar.tsx";
import { cellName } from "./cell-words.ts";
import { OutputsContext } from "./outputs-slot.tsx";
import { useNear } from "./use-near.ts";

export interface CellViewProps {
  docId: string;
  cell: Cell;
  /** From 1. */
  number: number;
  state: CellState;
  lastGood: LastGood | null;
  active: boolean;
  selected: boolean;
  edit: boolean;
  markdownSource: boolean;
  readOnly: boolean;
  lineNumbers: boolean;
  focus: FocusWish | null;
  staleCount: number;
  placeholder?: string | undefined;
}

const NO_OUTPUTS: NonNullable<Cell["outputs"]> = [];

/** One cell: gutter, source, outputs. */
export const CellView = memo(function CellView(props: CellViewProps) {
  const { docId, cell, number, state, active, selected, edit, focus, lastGood } = props;
  const app = useApp();
  const Outputs = useContext(OutputsContext);
  const box = useRef<HTMLDivElement>(null);
  const outputBox = useRef<HTMLDivElement>(null);
  const near = useNear(box);
  const running = state.state === "running";
  const busy = running || state.state === "queued";
  const outputs = cell.outputs ?? NO_OUTPUTS;
  const hidden = isOutputHidden(cell);
  const name = cellName(cell, number, state);

  useEffect(() => {
    if (!focus) return;
    const element = box.current;
    // An editor takes its own focus when it is there.
    if (focus.target === "cell") element?.focus({ preventScroll: true });
    if (focus.target === "output") {
      const inner = outputBox.current?.querySelector<HTMLElement>('[tabindex="0"], button, a[href], iframe');
      (inner ?? outputBox.current)?.focus({ preventScroll: true });
    }
    element?.scrollIntoView({ block: "nearest" });
    if (focus.target !== "editor") app.store.dispatch({ type: "focus.taken", docId, serial: focus.serial });
  }, [focus, app, docId]);

  // While a cell runs, the space of its earlier outputs stays, so that nothing below jumps.
  const keptHeight = useRef(0);
  useLayoutEffect(() => {
    if (!busy && outputBox.current) keptHeight.current = outputBox.current.offsetHeight;
  });

  const showFrame = (frame: CellFrame) =>
    app.store.dispatch({ type: "cell.selected", docId, cellId: frame.cellId, mode: "command", focus: "cell" });

  const failed = outputs.some((output) => output.output_type === "error");
  const hasOutput = outputs.length > 0 || busy || state.stale !== null;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a cell is a box of its own, an item of the list only by role
    <div
      ref={box}
      role="listitem"
      className={`cell ${cell.cell_type} ${active ? "active" : ""} ${selected ? "selected" : ""} ${edit ? "edit" : ""}`}
      aria-label={name}
      {...(active ? { "aria-current": true } : {})}
      tabIndex={active ? 0 : -1}
      data-cell={cell.id}
      onFocus={(event) => {
        if (event.target === box.current && !active)
          app.store.dispatch({ type: "cell.selected", docId, cellId: cell.id, mode: "command" });
      }}
      onMouseDown={(event) => {
        if ((event.target as HTMLElement).closest(".cell-source, .cell-toolbar")) return;
        const extend = event.shiftKey;
        if (extend) event.preventDefault();
        app.store.dispatch({ type: "cell.selected", docId, cellId: cell.id, extend, mode: "command" });
      }}
    >
      {cell.cell_type === "code" ? (
        <CellGutter state={state} executionCount={cell.execution_count ?? null} />
      ) : (
        <div className="cell-gutter">{cell.cell_type === "raw" && <span className="cell-count">raw</span>}</div>
      )}
      <div className="cell-main">
        <CellBody
          docId={docId}
          cell={cell}
          name={name}
          near={near}
          edit={edit}
          markdownSource={props.markdownSource}
          readOnly={props.readOnly}
          lineNumbers={props.lineNumbers}
          placeholder={props.placeholder}
          focusSerial={focus?.target === "editor" ? focus.serial : null}
        />
        {cell.cell_type === "code" && hasOutput && (
          <div
            ref={outputBox}
            className="cell-output"
            data-output={cell.id}
            tabIndex={-1}
            style={busy && outputs.length === 0 ? { minHeight: keptHeight.current } : {}}
          >
            {state.stale !== null && !busy && (
              <p className="stale-line">
                <span className="tone-warn">≠ stale:</span> <StaleReason text={state.stale} />
                <Button size="small" tone="quiet" tabIndex={-1} onClick={() => runCommand(app, "notebook.run-stale")}>
                  Run stale cells ({props.staleCount}) <Kbd keys="G G" />
                </Button>
              </p>
            )}
            <CellProgress docId={docId} cellId={cell.id} running={running} />
            {outputs.length > 0 && !hidden && (
              <Outputs
                docId={docId}
                cellId={cell.id}
                outputs={outputs}
                stale={state.stale !== null && !busy}
                dimmedFrom={null}
                onShowFrame={showFrame}
              />
            )}
            {hidden && outputs.length > 0 && (
              <Button size="small" tone="quiet" tabIndex={-1} onClick={() => runCommand(app, "cell.toggle-output")}>
                Output hidden. Show <Kbd keys="O" />
              </Button>
            )}
            {failed && lastGood && !hidden && (
              <section className="last-good" aria-label={`Last good output of cell ${number}`}>
                <Outputs
                  docId={docId}
                  cellId={cell.id}
                  outputs={lastGood.outputs}
                  stale={false}
                  dimmedFrom={lastGood.executionCount ?? 0}
                  onShowFrame={showFrame}
                />
              </section>
            )}
          </div>
        )}
      </div>
      <CellToolbar docId={docId} cell={cell} running={running} number={number} readOnly={props.readOnly} />
    </div>
  );
});

/** `name` in backquotes becomes code. */
function StaleReason({ text }: { text: string }) {
  return (
    <>
      {text.split(/(`[^`]+`)/).map((part, i) =>
        part.startsWith("`") ? (
          // biome-ignore lint/suspicious/noArrayIndexKey: parts of one sentence
          <code key={i}>{part.slice(1, -1)}</code>
        ) : (
          part
        ),
      )}
    </>
  );
}
