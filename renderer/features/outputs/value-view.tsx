/** The typed preview under a cell: type, shape, bytes, then what is in it. */
import type { ValuePreview } from "../../../kernels/protocol/display.ts";
import { formatBytes } from "../../ui/numbers.ts";
import { StreamText } from "./stream-text.tsx";

export function ValueView({ value }: { value: ValuePreview }) {
  return (
    <div className="out-value">
      <ValueHead value={value} />
      {value.preview !== "" && (
        <StreamText text={value.preview} tone="plain" label={`Preview of ${value.name ?? value.type}`} />
      )}
    </div>
  );
}

export function ValueHead({ value }: { value: ValuePreview }) {
  return (
    <p className="out-value-head">
      {value.name && <code className="out-value-name">{value.name}</code>}
      <span className="out-value-type">{value.type}</span>
      {value.bytes !== undefined && <span className="out-muted"> · {formatBytes(value.bytes)}</span>}
      {value.cut && <span className="out-muted"> · first part</span>}
    </p>
  );
}
