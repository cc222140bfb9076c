import { useContext, useSyncExternalStore } from "react";
import type { Output } from "../../../notebooks/format/model.ts";
import { AppContext } from "../../state/hooks.ts";
import { cellState } from "../../state/selectors.ts";
import { Button } from "../../ui/button.tsx";
import { showCell, type WrittenCell } from "./write-cell.ts";

const never = () => () => undefined;

/** The cell that is about to start a run: that it works, or why it did not. */
export function PendingCell({ cell, onDismiss }: { cell: WrittenCell; onDismiss(): void }) {
  const app = useContext(AppContext);
  const doc = useSyncExternalStore(app?.store.subscribe ?? never, () => app?.store.state.documents[cell.docId] ?? null);
  if (app === null || doc === null) return null;
  const { state } = cellState(doc, cell.cellId);
  const outputs = doc.notebook.cells.find((each) => each.id === cell.cellId);
  const why = outputs?.cell_type === "code" ? errorOf(outputs.outputs ?? []) : null;
  const failed = state === "failed";
  return (
    <div className="runs-pending" role={failed ? "alert" : "status"}>
      {failed ? (
        <span>
          <strong>✕ Not started.</strong> {why ?? "The cell failed."}
        </span>
      ) : (
        <span>
          {state === "queued" ? "◌ The cell waits for its turn" : "◐ Checking the data and starting the trainer"} in{" "}
          {cell.notebook}…
        </span>
      )}
      <span className="run-line-space" />
      <Button size="small" onClick={() => showCell(app, cell)}>
        Show the cell
      </Button>
      {failed && (
        <Button size="small" tone="quiet" onClick={onDismiss}>
          Dismiss
        </Button>
      )}
    </div>
  );
}

function errorOf(outputs: readonly Output[]): string | null {
  const error = outputs.find((output) => output.output_type === "error");
  return error?.output_type === "error" ? error.evalue : null;
}
