import { useCallback, useEffect, useState } from "react";
import type { Variable } from "../../../kernels/protocol/kernel-messages.ts";
import { useApp, useSelect } from "../../state/hooks.ts";
import { cellIndex, isBusy } from "../../state/selectors.ts";
import { IconButton } from "../../ui/button.tsx";
import { formatBytes } from "../../ui/units.ts";
import "./variables.css";

/** What the kernel holds: names, types and sizes only; nothing large travels until it is opened. */
export function VariablesPanel({ docId }: { docId: string }) {
  const app = useApp();
  const doc = useSelect((state) => state.documents[docId] ?? null);
  const [variables, setVariables] = useState<Variable[]>([]);
  const kernel = doc?.kernel.state ?? "none";
  const busy = doc !== null && isBusy(doc);

  const load = useCallback(async () => {
    const found = await app.attempt("kernel.variables", { docId });
    if (found) setVariables(found.variables);
  }, [app, docId]);

  useEffect(() => {
    if (kernel === "ready") void load();
    if (kernel === "none" || kernel === "stopped" || kernel === "starting") setVariables([]);
  }, [kernel, load]);

  if (!doc) return null;
  const show = (cellId: string) => {
    if (cellIndex(doc, cellId) >= 0)
      app.store.dispatch({ type: "cell.selected", docId, cellId, mode: "command", focus: "cell" });
  };
  return (
    <aside className="variables" aria-label="Variables" data-region="side" tabIndex={-1}>
      <header>
        <h2 className="type-label">Variables</h2>
        <IconButton
          icon="close"
          label="Close the panel (Mod+J)"
          onClick={() => app.store.dispatch({ type: "side-panel.toggled", panel: "variables" })}
        />
      </header>
      {variables.length === 0 ? (
        <p className="muted variables-empty">
          {busy ? "Busy. Variables are listed when the cell is done." : "No variables. Run a cell."}
        </p>
      ) : (
        <div className={`variables-list ${busy ? "dimmed" : ""}`}>
          <table>
            <thead>
              <tr>
                <th scope="col">Name</th>
                <th scope="col">Type</th>
                <th scope="col" className="number">
                  Size
                </th>
              </tr>
            </thead>
            <tbody>
              {variables.map((variable) => (
                <tr key={variable.name} title={variable.preview}>
                  <th scope="row">
                    <button type="button" onClick={() => show(variable.cellId)} title="Go to the cell that made it">
                      {variable.name}
                    </button>
                  </th>
                  <td>{variable.type}</td>
                  <td className="number tabular">{variable.bytes === null ? "–" : formatBytes(variable.bytes)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </aside>
  );
}
