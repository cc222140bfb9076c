/** Joins two features that do not know each other: the notebook's cells and the views of their outputs. */
import type { ReactNode } from "react";
import { OutputsContext, type OutputsProps } from "../features/notebook/outputs-slot.tsx";
import { OutputArea } from "../features/outputs/output-area.tsx";

function CellOutputs({ outputs, cellId, stale, dimmedFrom, onShowFrame }: OutputsProps) {
  return (
    <OutputArea outputs={outputs} cellId={cellId} stale={stale} dimmedFrom={dimmedFrom} onShowFrame={onShowFrame} />
  );
}

export function Outputs({ children }: { children: ReactNode }) {
  return <OutputsContext value={CellOutputs}>{children}</OutputsContext>;
}
