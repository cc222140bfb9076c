/** All outputs of one cell. */
import { Component, memo, type ReactNode, useMemo } from "react";
import type { CellFrame } from "../../../kernels/protocol/kernel-messages.ts";
import type { Output } from "../../../notebooks/format/model.ts";
import { MapFigure } from "../../plot/map/map-figure.tsx";
import { PlotlyPlot } from "../../plot/plotly-plot.tsx";
import { DataTable } from "../../ui/data-table.tsx";
import { Markdown } from "../../ui/markdown.tsx";
import { ErrorView } from "./error-view.tsx";
import { HtmlFrame } from "./html-frame.tsx";
import { pickRepresentation, type Representation } from "./pick.ts";
import { PromptsView } from "./prompts-view.tsx";
import { RunView } from "./run-view.tsx";
import { StreamText } from "./stream-text.tsx";
import { TaskView } from "./task-view.tsx";
import { ValueHead, ValueView } from "./value-view.tsx";
import "./outputs.css";

interface Props {
  outputs: readonly Output[];
  cellId: string;
  onShowFrame?: (frame: CellFrame) => void;
  /** Why these outputs no longer match the code, in words; true when the reason is told elsewhere. */
  stale?: boolean | string | null;
  /** Execution count of the earlier run that these outputs are from, when the last run failed. */
  dimmedFrom?: number | null;
}

export function OutputArea({ outputs, cellId, onShowFrame, stale = null, dimmedFrom = null }: Props) {
  if (outputs.length === 0) return null;
  const dimmed = dimmedFrom !== null;
  return (
    <div className={`out-area ${dimmed ? "out-dimmed" : ""} ${stale ? "out-stale" : ""}`} data-cell={cellId}>
      {dimmed && <p className="out-from">from run [{dimmedFrom}]</p>}
      {outputs.map((output, i) => (
        <OutputItem key={outputKey(output, i)} output={output} onShowFrame={onShowFrame} />
      ))}
    </div>
  );
}

/** A display that is updated in place keeps its view (zoom, selection, an unfolded text). */
function outputKey(output: Output, i: number): string {
  const metadata =
    "metadata" in output ? (output.metadata as { parallax?: { displayId?: unknown } } | null | undefined) : undefined;
  const id = metadata?.parallax?.displayId;
  return typeof id === "string" ? `display-${id}` : `${output.output_type}-${i}`;
}

const OutputItem = memo(function OutputItem({
  output,
  onShowFrame,
}: {
  output: Output;
  onShowFrame: ((frame: CellFrame) => void) | undefined;
}) {
  return (
    <div className="out-item">
      <ViewBoundary key={output.output_type} fallback={(error) => <BrokenView output={output} error={error} />}>
        <OutputBody output={output} onShowFrame={onShowFrame} />
      </ViewBoundary>
    </div>
  );
});

function OutputBody({
  output,
  onShowFrame,
}: {
  output: Output;
  onShowFrame: ((frame: CellFrame) => void) | undefined;
}) {
  switch (output.output_type) {
    case "stream":
      return <StreamText text={text(output.text)} tone={output.name === "stderr" ? "stderr" : "stdout"} />;
    case "error":
      return <ErrorView output={output} onShowFrame={onShowFrame} />;
    case "display_data":
    case "execute_result":
      return <Bundle data={output.data} />;
    default:
      return <Json value={output satisfies never} />;
  }
}

function Bundle({ data }: { data: Record<string, unknown> | null | undefined }) {
  const { shown, problems, plain } = useMemo(
    () => pickRepresentation(typeof data === "object" && data !== null ? data : {}),
    [data],
  );
  return (
    <>
      <View shown={shown} plain={plain} />
      {problems.length > 0 && (
        <p className="out-note out-note-warn">
          <span aria-hidden="true">≠</span> Shown in a simpler form: {problems.join("; ")}.
        </p>
      )}
    </>
  );
}

function View({ shown, plain }: { shown: Representation; plain: string }): ReactNode {
  switch (shown.kind) {
    case "value":
      return <ValueView value={shown.value} />;
    case "table": {
      const { title, total } = shown.value;
      return (
        <>
          {shown.preview && <ValueHead value={shown.preview} />}
          <DataTable label={title ?? `Table, ${total} rows`} table={shown.value} />
        </>
      );
    }
    case "map":
      return <MapFigure view={shown.value} />;
    case "prompts":
      return <PromptsView report={shown.value} />;
    case "task":
      return <TaskView result={shown.value} />;
    case "run":
      return <RunView view={shown.value} />;
    case "plotly":
      return <PlotlyPlot figure={shown.value} />;
    case "svg":
      // An image cannot run script or reach the network, whatever the SVG holds.
      return (
        <img
          className="out-picture out-svg"
          alt={pictureName(plain, "Vector picture")}
          src={`data:image/svg+xml;charset=utf-8,${encodeURIComponent(shown.value)}`}
        />
      );
    case "image":
      return (
        <img
          className="out-picture"
          alt={pictureName(plain, "Picture")}
          src={`data:${shown.mime};base64,${shown.value}`}
        />
      );
    case "html":
      return <HtmlFrame html={shown.value} name={pictureName(plain, "HTML output")} />;
    case "markdown":
      return <Markdown source={shown.value} />;
    case "json":
      return <Json value={shown.value} />;
    case "plain":
      return <StreamText text={shown.value} tone="plain" label="Text" />;
    case "unknown":
      return (
        <p className="out-note">
          {shown.mimes.length === 0
            ? "This output is empty."
            : `Nothing here can show ${shown.mimes.join(", ")}. The data stays in the notebook.`}
        </p>
      );
    default:
      return shown satisfies never;
  }
}

/** matplotlib and others put "<Figure size 640x480 with 1 Axes>" there: still better than no name. */
function pictureName(plain: string, fallback: string): string {
  const line = plain.split("\n", 1)[0]?.replace(/^<|>$/g, "").trim();
  return line ? line.slice(0, 300) : fallback;
}

function Json({ value }: { value: unknown }) {
  return <StreamText text={stringify(value)} tone="plain" label="JSON" />;
}

function stringify(value: unknown): string {
  try {
    return JSON.stringify(value, null, 2) ?? String(value);
  } catch (error) {
    return `This value cannot be written as JSON: ${String(error)}`;
  }
}

function text(value: unknown): string {
  return typeof value === "string" ? value : Array.isArray(value) ? value.join("") : "";
}

/** What is left of an output whose view failed: its text, and why. */
function BrokenView({ output, error }: { output: Output; error: Error }) {
  const plain = "data" in output ? text((output.data as Record<string, unknown>)?.["text/plain"]) : "";
  return (
    <>
      {plain && <StreamText text={plain} tone="plain" label="Text" />}
      <p className="out-note out-note-warn" role="alert">
        <span aria-hidden="true">≠</span> This output cannot be drawn: {error.message}
      </p>
    </>
  );
}

interface BoundaryProps {
  children: ReactNode;
  fallback: (error: Error) => ReactNode;
}

/** One broken output never takes the notebook along. */
class ViewBoundary extends Component<BoundaryProps, { error: Error | null }> {
  override state: { error: Error | null } = { error: null };

  static getDerivedStateFromError(error: unknown): { error: Error } {
    return { error: error instanceof Error ? error : new Error(String(error)) };
  }

  /** New data gets a new chance. */
  override componentDidUpdate(before: BoundaryProps): void {
    if (this.state.error !== null && before.children !== this.props.children) this.setState({ error: null });
  }

  override render(): ReactNode {
    return this.state.error === null ? this.props.children : this.props.fallback(this.state.error);
  }
}
