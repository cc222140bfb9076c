/** Fine-tune runs: the list, the curves of what is ticked, and log, configuration and checkpoints of the open one. */
import { type KeyboardEvent, useContext, useEffect, useReducer, useRef, useState } from "react";
import type { ErrorData } from "../../../kernels/protocol/errors.ts";
import { isCancelled, toErrorData } from "../../../kernels/protocol/errors.ts";
import type { RunSummary } from "../../../kernels/protocol/run-files.ts";
import { RunCharts, SMOOTHING_STEPS } from "../../plot/run/run-charts.tsx";
import { RunStateLine, runWord } from "../../plot/run/run-state.tsx";
import { AppContext } from "../../state/hooks.ts";
import { announce } from "../../ui/announce.ts";
import { Button } from "../../ui/button.tsx";
import { ErrorBlock } from "../../ui/error-block.tsx";
import { NoRuns } from "./no-runs.tsx";
import { RunDetails } from "./run-details.tsx";
import { RunList } from "./run-list.tsx";
import { EMPTY_VIEW, reduceRuns } from "./runs-state.ts";
import { useChartRuns } from "./use-chart-runs.ts";
import "./runs.css";

export function RunsScreen() {
  const app = useContext(AppContext);
  const [view, dispatch] = useReducer(reduceRuns, EMPTY_VIEW);
  const [loaded, setLoaded] = useState(false);
  const [error, setError] = useState<ErrorData | null>(null);
  const [smoothing, setSmoothing] = useState(0.6);
  const [attempt, setAttempt] = useState(0);
  const list = useRef<HTMLUListElement>(null);

  // biome-ignore lint/correctness/useExhaustiveDependencies: an attempt reads the list again
  useEffect(() => {
    if (app === null) return;
    let gone = false;
    const load = () => {
      app.client.call("runs.list", {}).then(
        ({ runs }) => {
          if (gone) return;
          dispatch({ type: "listed", runs });
          setLoaded(true);
          setError(null);
        },
        (reason: unknown) => {
          if (!gone && !isCancelled(reason)) setError(toErrorData(reason));
        },
      );
    };
    load();
    const offs = [
      app.client.on("runs.changed", load),
      app.client.on("run.updated", ({ run }) => dispatch({ type: "updated", run })),
    ];
    return () => {
      gone = true;
      for (const off of offs) off();
    };
  }, [app, attempt]);

  const { chartRuns, feeds } = useChartRuns(view);
  const open = view.runs.find((run) => run.folder === view.open) ?? null;

  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (
      event.target instanceof HTMLInputElement ||
      (event.target instanceof HTMLElement && event.target.closest("[role=menu], [role=grid]"))
    )
      return;
    if (event.key === "s" || event.key === "S") {
      if (!open || !app || runWord(open) !== "running") return;
      announce(`Stopping ${open.config.name} after this step.`);
      app.client
        .call("runs.stop", { folder: open.folder, how: "after-step" })
        .catch((reason: unknown) => app.report(reason));
    } else if (event.key === "[" || event.key === "]") {
      const at = SMOOTHING_STEPS.findIndex((value) => value >= smoothing - 1e-9);
      const next =
        SMOOTHING_STEPS[Math.max(0, Math.min(SMOOTHING_STEPS.length - 1, at + (event.key === "]" ? 1 : -1)))]!;
      setSmoothing(next);
      announce(`Smoothing ${next}`);
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };

  if (error && !loaded)
    return (
      <div className="runs-alone">
        <ErrorBlock
          error={error}
          title="The runs could not be listed"
          actions={
            <Button size="small" onClick={() => setAttempt(attempt + 1)}>
              Try again
            </Button>
          }
        />
      </div>
    );
  if (!loaded) return <div className="runs-alone" aria-busy="true" />;
  if (view.runs.length === 0) return <NoRuns />;
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys of the screen work anywhere in it
    <div className="runs-screen" onKeyDown={onKeyDown}>
      <nav className="runs-side" aria-label="Runs">
        <h1 className="runs-title">Runs</h1>
        <RunList
          ref={list}
          view={view}
          onOpen={(folder) => dispatch({ type: "opened", folder })}
          onToggle={(folder) => dispatch({ type: "toggled", folder })}
        />
        <p className="runs-keys">Space shows or hides, Enter opens, S stops, [ ] smooth.</p>
      </nav>
      <div className="runs-main">
        {open && (
          <RunStateLine
            run={open}
            heading
            {...(view.slots[open.folder] === undefined ? {} : { slot: view.slots[open.folder]! })}
          />
        )}
        {open && <RunProblem run={open} />}
        {chartRuns.length > 0 ? (
          <RunCharts runs={chartRuns} smoothing={smoothing} onSmoothing={setSmoothing} height={248} />
        ) : (
          <p className="runs-none">Tick a run to see its curves.</p>
        )}
        {open && <RunDetails key={open.folder} run={open} feed={feeds.get(open.folder) ?? null} />}
      </div>
    </div>
  );
}

/** Why a run ended before its last step, what is kept, and the button beside it in the state line. */
function RunProblem({ run }: { run: RunSummary }) {
  const { status } = run;
  const word = runWord(run);
  const kept =
    status.lastCheckpoint === null
      ? "There is no checkpoint; the data and the configuration are kept."
      : `Checkpoint ${status.lastCheckpoint} is kept.`;
  if (status.error)
    return (
      <ErrorBlock
        error={status.error}
        title={`${word === "failed" ? "Failed" : "Ended"} at step ${status.step}`}
        safe={kept}
      />
    );
  if (word !== "killed") return null;
  return (
    <ErrorBlock
      tone="warning"
      error={{
        code: "run.killed",
        kind: "environment",
        message: `The training process ended without a word at step ${status.step} of ${status.steps}: it was killed, ran out of memory, or the computer went down.`,
        hint: "Resume continues from the checkpoint to the same numbers.",
      }}
      safe={kept}
    />
  );
}
