/** The line that says how a run stands, with what can be done about it. */
import { useContext, useEffect, useRef, useState } from "react";
import { type RunStatus, type RunSummary, runTitle } from "../../../kernels/protocol/run-files.ts";
import { AppContext } from "../../state/hooks.ts";
import { Button } from "../../ui/button.tsx";
import { TextMenuButton } from "../../ui/menu-button.tsx";
import { formatBytes, formatCount, formatDuration } from "../../ui/numbers.ts";
import { MARKER_GLYPHS } from "../theme.ts";
import "./run.css";

export type RunWord = RunStatus["state"] | "killed";

/** "running" with no living process was killed: nobody could write that down. */
export function runWord(run: RunSummary): RunWord {
  const { state } = run.status;
  return !run.alive && (state === "running" || state === "starting" || state === "stopping") ? "killed" : state;
}

export const RUN_GLYPHS: Record<RunWord, string> = {
  starting: "◌",
  running: "◐",
  stopping: "◐",
  stopped: "■",
  done: "✓",
  failed: "✕",
  killed: "✕",
};
export const RUN_TONES: Record<RunWord, string> = {
  starting: "busy",
  running: "busy",
  stopping: "busy",
  stopped: "quiet",
  done: "ok",
  failed: "error",
  killed: "error",
};

export function RunBadge({ word }: { word: RunWord }) {
  return (
    <span className={`run-badge run-${RUN_TONES[word]}`}>
      <span aria-hidden="true">{RUN_GLYPHS[word]}</span> {word}
    </span>
  );
}

interface LineProps {
  run: RunSummary;
  slot?: number;
  /** Larger name, for the head of a screen. */
  heading?: boolean;
}

export function RunStateLine({ run, slot, heading = false }: LineProps) {
  const { status } = run;
  const word = runWord(run);
  const live = word === "running" || word === "starting" || word === "stopping";
  const facts = [
    word === "done"
      ? `${formatCount(status.step)} steps`
      : `step ${formatCount(status.step)} of ${formatCount(status.steps)}`,
    live && status.rate !== null ? `${rate(status.rate)}` : null,
    live && status.etaMs !== null && word === "running" ? `${formatDuration(status.etaMs)} left` : null,
    live && status.memoryBytes !== null ? formatBytes(status.memoryBytes) : null,
    !live && status.startedAt !== null ? took(status) : null,
    live ? foreseen(status) : null,
    !live && word !== "done" && status.lastCheckpoint !== null
      ? `checkpoint ${formatCount(status.lastCheckpoint)} is kept`
      : null,
  ].filter((fact) => fact !== null);
  const Name = heading ? "h2" : "span";
  return (
    <div className="run-line">
      <RunBadge word={word} />
      <Name className="run-name">
        {slot !== undefined && (
          <span style={{ color: `var(--cat-${slot})` }} aria-hidden="true">
            {MARKER_GLYPHS[slot - 1]}{" "}
          </span>
        )}
        {runTitle(run)}
      </Name>
      <span className="run-facts">{facts.join(" · ")}</span>
      <span className="run-line-space" />
      <RunActions run={run} word={word} />
      {live && <Milestones status={status} name={runTitle(run)} />}
    </div>
  );
}

/** "of about 6 min, 1.9 GB": what was measured before the first step. */
function foreseen({ estimate }: RunStatus): string | null {
  return estimate === null || estimate === undefined
    ? null
    : `about ${formatDuration(estimate.elapsedMs)} and ${formatBytes(estimate.memoryBytes)} foreseen`;
}

function took(status: RunStatus): string {
  const ms = Date.parse(status.updatedAt) - Date.parse(status.startedAt ?? status.updatedAt);
  return `${formatDuration(ms)}`;
}

function rate(perSecond: number): string {
  return perSecond >= 1 ? `${perSecond.toFixed(1)} step/s` : `${(1 / perSecond).toFixed(1)} s a step`;
}

/** Speaks every tenth of the run, no more. */
function Milestones({ status, name }: { status: RunStatus; name: string }) {
  const tenth = Math.floor((status.step / Math.max(1, status.steps)) * 10);
  const first = useRef(tenth);
  return (
    <span className="visually-hidden" role="status">
      {tenth === first.current ? "" : `${name}: ${tenth * 10} % done, step ${status.step} of ${status.steps}.`}
    </span>
  );
}

export function RunActions({ run, word }: { run: RunSummary; word: RunWord }) {
  const app = useContext(AppContext);
  const [asked, setAsked] = useState<"stop" | "resume" | null>(null);
  const { state, updatedAt } = run.status;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new state answers the request
  useEffect(() => setAsked(null), [state, run.alive]);
  if (app === null) return null;
  const call = async (what: "stop" | "resume", work: () => Promise<unknown>) => {
    setAsked(what);
    try {
      await work();
    } catch (error) {
      setAsked(null);
      app.report(error);
    }
  };
  void updatedAt;
  if (word === "running" || word === "starting" || word === "stopping") {
    const stopping = word === "stopping" || asked === "stop";
    return (
      <TextMenuButton
        label={stopping ? "Stopping…" : "Stop"}
        tone="plain"
        items={() => [
          {
            id: "after-step",
            label: "After this step, keep a checkpoint",
            disabled: stopping,
            onSelect: () =>
              void call("stop", () => app.client.call("runs.stop", { folder: run.folder, how: "after-step" })),
          },
          {
            id: "now",
            label: "Now",
            danger: true,
            onSelect: () => void call("stop", () => app.client.call("runs.stop", { folder: run.folder, how: "now" })),
          },
        ]}
      />
    );
  }
  if (word === "done") return null;
  const from = run.status.lastCheckpoint;
  return (
    <Button
      size="small"
      disabled={asked !== null}
      onClick={() => void call("resume", () => app.client.call("runs.resume", { folder: run.folder }))}
    >
      {asked === "resume" ? "Resuming…" : from === null ? "Start again" : `Resume from ${formatCount(from)}`}
    </Button>
  );
}
