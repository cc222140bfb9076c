/** A failed cell: message first, then the next step, then the user's own frames as links; the library's are folded. */
import { useState } from "react";
import type { ErrorData } from "../../../kernels/protocol/errors.ts";
import type { CellError, CellFrame } from "../../../kernels/protocol/kernel-messages.ts";
import type { ErrorOutput } from "../../../notebooks/format/model.ts";
import { announce } from "../../ui/announce.ts";
import { Button } from "../../ui/button.tsx";
import { copyText } from "../../ui/clipboard.ts";
import { errorDetails } from "../../ui/error-block.tsx";
import { plural } from "../../ui/numbers.ts";
import { stripAnsi } from "./ansi.ts";
import { parseCellError } from "./schemas.ts";
import { StreamText } from "./stream-text.tsx";

interface Props {
  output: ErrorOutput;
  onShowFrame?: ((frame: CellFrame) => void) | undefined;
}

export function ErrorView({ output, onShowFrame }: Props) {
  const own = output.parallax === undefined ? null : parseCellError(output.parallax);
  if (own?.ok) return <CellErrorView cellError={own.value} onShowFrame={onShowFrame} />;
  return <ForeignError output={output} />;
}

function CellErrorView({ cellError, onShowFrame }: { cellError: CellError; onShowFrame: Props["onShowFrame"] }) {
  const { error, name, frames, libraryFrames } = cellError;
  const cancelled = error.kind === "cancelled";
  const bug = error.kind === "bug" && error.code !== "bug.unexpected";
  const showCode = error.code !== "bug.unexpected";
  return (
    <section className={`out-error ${cancelled ? "out-error-quiet" : ""}`} aria-label={cancelled ? "Stopped" : "Error"}>
      <p className="out-error-message">
        <span className="out-error-glyph" aria-hidden="true">
          {cancelled ? "■" : "✕"}
        </span>{" "}
        {!cancelled && <strong>{name === "ParallaxError" ? "" : `${name}: `}</strong>}
        {error.message}
      </p>
      {error.hint && <p className="out-error-hint">{error.hint}</p>}
      {bug && (
        <p className="out-error-hint">This is a mistake in Parallax, not in your cell. The details help to fix it.</p>
      )}
      {frames.length > 0 && (
        <ul className="out-frames" aria-label="Where it happened">
          {frames.map((frame, i) => (
            <li key={`${frame.cellId}-${frame.line}-${i.toString()}`}>
              <FrameLink frame={frame} onShowFrame={onShowFrame} />
            </li>
          ))}
        </ul>
      )}
      <Causes cause={error.cause} />
      <div className="out-error-foot">
        {showCode && <code className="out-error-code">{error.code}</code>}
        {libraryFrames.length > 0 && <LibraryFrames frames={libraryFrames} />}
        <CopyDetails text={() => details(cellError)} />
      </div>
    </section>
  );
}

function FrameLink({ frame, onShowFrame }: { frame: CellFrame; onShowFrame: Props["onShowFrame"] }) {
  const where = `Cell [${frame.executionCount ?? " "}] line ${frame.line}`;
  return (
    <>
      {onShowFrame ? (
        <button type="button" className="out-link" onClick={() => onShowFrame(frame)}>
          {where}
        </button>
      ) : (
        <span>{where}</span>
      )}
      {frame.functionName && <span className="out-muted"> in {frame.functionName}</span>}
    </>
  );
}

function Causes({ cause }: { cause: ErrorData | undefined }) {
  const lines: ErrorData[] = [];
  for (let at = cause; at && lines.length < 5; at = at.cause) lines.push(at);
  if (lines.length === 0) return null;
  return (
    <ul className="out-causes">
      {lines.map((line, i) => (
        <li key={`${line.code}-${i.toString()}`}>Caused by: {line.message}</li>
      ))}
    </ul>
  );
}

function LibraryFrames({ frames }: { frames: string[] }) {
  const [open, setOpen] = useState(false);
  return (
    <>
      <Button size="small" tone="quiet" aria-expanded={open} onClick={() => setOpen(!open)}>
        {open ? "Hide library frames" : `${plural(frames.length, "library frame")}`}
      </Button>
      {open && <pre className="out-pre out-library">{frames.map((frame) => frame.trim()).join("\n")}</pre>}
    </>
  );
}

function CopyDetails({ text }: { text: () => string }) {
  return (
    <Button
      size="small"
      tone="quiet"
      onClick={() => {
        copyText(text()).then(
          () => announce("Copied the details."),
          (error: unknown) => announce(`Not copied: ${String(error)}`),
        );
      }}
    >
      Copy details
    </Button>
  );
}

function details({ error, name, frames, libraryFrames }: CellError): string {
  return [
    name,
    errorDetails(error),
    ...frames.map(
      (f) =>
        `  at cell [${f.executionCount ?? " "}] line ${f.line}, column ${f.column}${f.functionName ? ` (${f.functionName})` : ""}`,
    ),
    ...libraryFrames.map((frame) => `  ${frame.trim()}`),
  ].join("\n");
}

/** An error of another kernel: its name and value, and its own coloured traceback below. */
function ForeignError({ output }: { output: ErrorOutput }) {
  const [open, setOpen] = useState(true);
  const name = typeof output.ename === "string" ? output.ename : "Error";
  const value = typeof output.evalue === "string" ? stripAnsi(output.evalue) : "";
  const traceback = Array.isArray(output.traceback)
    ? output.traceback.filter((line) => typeof line === "string").join("\n")
    : "";
  return (
    <section className="out-error" aria-label="Error">
      <p className="out-error-message">
        <span className="out-error-glyph" aria-hidden="true">
          ✕
        </span>{" "}
        <strong>{name}</strong>
        {value && `: ${value.length > 2000 ? `${value.slice(0, 2000)}…` : value}`}
      </p>
      {traceback && open && <StreamText text={traceback} tone="plain" label="Traceback" />}
      <div className="out-error-foot">
        {traceback && (
          <Button size="small" tone="quiet" aria-expanded={open} onClick={() => setOpen(!open)}>
            {open ? "Fold traceback" : "Show traceback"}
          </Button>
        )}
        <CopyDetails text={() => `${name}: ${value}\n${stripAnsi(traceback)}`} />
      </div>
    </section>
  );
}
