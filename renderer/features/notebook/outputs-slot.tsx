/** The place where outputs are drawn. The app fills it with the outputs feature; until then plain text is shown. */
import { type ComponentType, createContext } from "react";
import type { CellFrame } from "../../../kernels/protocol/kernel-messages.ts";
import type { Output } from "../../../notebooks/format/model.ts";

export interface OutputsProps {
  docId: string;
  cellId: string;
  outputs: Output[];
  /** The code or what it reads changed since; the reason is told above. */
  stale: boolean;
  /** Execution count of the earlier run that these outputs are from, when the last run failed; null for the last run. */
  dimmedFrom: number | null;
  /** Shows a place in a cell: from an error's stack. */
  onShowFrame(frame: CellFrame): void;
}

function PlainOutputs({ outputs }: OutputsProps) {
  return (
    <pre className="plain-outputs">
      {outputs
        .map((output) => {
          if (output.output_type === "stream") return output.text;
          if (output.output_type === "error") return `${output.ename}: ${output.evalue}`;
          return String(output.data["text/plain"] ?? Object.keys(output.data).join(", "));
        })
        .join("\n")}
    </pre>
  );
}

export const OutputsContext = createContext<ComponentType<OutputsProps>>(PlainOutputs);
