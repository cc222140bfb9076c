/** Fine-tune runs: the list, the curves of what is ticked, and log, configuration, data and checkpoints of the open one. */
import { type KeyboardEvent, useContext, useEffect, useReducer, useState } from "react";
import type { ErrorData } from "../../../kernels/protocol/errors.ts";
import { isCancelled, toErrorData } from "../../../kernels/protocol/errors.ts";
import { type RunSummary, runTitle } from "../../../kernels/protocol/run-files.ts";
import { RunCharts, SMOOTHING_STEPS } from "../../plot/run/run-charts.tsx";
import { RunStateLine, runWord } from "../../plot/run/run-state.tsx";
import { AppContext } from "../../state/hooks.ts";
import { announce } from "../../ui/announce.ts";
import { Button } from "../../ui/button.tsx";
import { ErrorBlock } from "../../ui/error-block.tsx";
import { CompareScreen } from "./compare-screen.tsx";
import { NewRunDialog } from "./new-run-dialog.tsx";
import { NoRuns } from "./no-runs.tsx";
import { PendingCell } from "./pending-cell.tsx";
import { RenameDialog } from "./rename-dialog.tsx";
import { RunDetails, type Tab } from "./run-details.tsx";
import { RunList } from "./run-list.tsx";
import { RunProblem } from "./run-problem.tsx";
import { defaultComparison, EMPTY_VIEW, reduceRuns } from "./runs-state.ts";
import { useChartRuns } from "./use-chart-runs.ts";
import type { WrittenCell } from "./write-cell.ts";
import "./runs.css";

type Question = { kind: "new" } | { kind: "rename"; run: RunSummary };

export function RunsScreen() {
  const app = useContext(AppContext);
  const [view, dispatch] = useReducer(reduceRuns, EMPTY_VIEW);
  const [loaded, setLoaded] = useState(false);
  const [error, setError] = useState<ErrorData | null>(null);
  const [smoothing, setSmoothing] = useState(0.6);
  const [attempt, setAttempt] = useState(0);
  const [question, setQuestion] = useState<Question | null>(null);
  const [comparing, setComparing] = useState(false);
  const [tab, setTab] = useState<Tab>("log");
  const [pending, setPending] = useState<WrittenCell | null>(null);

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
  // The awaited run is there: the line about its cell goes.
  const isAwaiting = view.awaiting !== null;
  useEffect(() => {
    if (!isAwaiting) setPending(null);
  }, [isAwaiting]);

  const { chartRuns, feeds } = useChartRuns(view);
  const open = view.runs.find((run) => run.folder === view.open) ?? null;

  const pin = (folder: string | null) => {
    if (app === null) return;
    const run = view.runs.find((each) => each.folder === folder);
    app.client.call("runs.pin", { folder }).then(
      () => announce(run === undefined ? "No run is the base." : `${runTitle(run)} is the base.`),
      (reason: unknown) => app.report(reason),
    );
  };
  const compare = () => {
    const folders = defaultComparison(view);
    if (folders.length >= 2) dispatch({ type: "compared", folders });
    setComparing(true);
  };
  const started = (cell: WrittenCell) => {
    setPending(cell);
    setComparing(false);
    dispatch({ type: "awaited" });
  };
  /** @returns whether the key means something here. */
  const onKey = (key: string, focused: RunSummary | null): boolean => {
    const run = focused ?? open;
    if (key === "n") setQuestion({ kind: "new" });
    else if (key === "c" && view.runs.length > 1) compare();
    else if (run === null || app === null) return false;
    else if (key === "e") setQuestion({ kind: "rename", run });
    else if (key === "p") pin(run.label?.pinned === true ? null : run.folder);
    else if (key === "s" && runWord(run) === "running") {
      announce(`Stopping ${runTitle(run)} after this step.`);
      app.client
        .call("runs.stop", { folder: run.folder, how: "after-step" })
        .catch((reason: unknown) => app.report(reason));
    } else if (key === "[" || key === "]") {
      const at = SMOOTHING_STEPS.findIndex((value) => value >= smoothing - 1e-9);
      const to = Math.max(0, Math.min(SMOOTHING_STEPS.length - 1, at + (key === "]" ? 1 : -1)));
      setSmoothing(SMOOTHING_STEPS[to]!);
      announce(`Smoothing ${SMOOTHING_STEPS[to]}`);
    } else return false;
    return true;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey || question !== null) return;
    const { target } = event;
    if (target instanceof HTMLInputElement && target.type !== "checkbox" && target.type !== "range") return;
    if (target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return;
    const element = target instanceof HTMLElement ? target : null;
    if (element?.closest("[role=menu], [role=grid]")) return;
    const folder = element?.closest<HTMLElement>("[data-run]")?.dataset.run;
    if (!onKey(event.key.toLowerCase(), view.runs.find((run) => run.folder === folder) ?? null)) return;
    event.preventDefault();
    event.stopPropagation();
  };

  const dialogs = (
    <>
      {question?.kind === "new" && <NewRunDialog onClose={() => setQuestion(null)} onStarted={started} />}
      {question?.kind === "rename" && <RenameDialog run={question.run} onClose={() => setQuestion(null)} />}
    </>
  );
  if (error && !loaded)
    return (
      <div className="runs-alone">
        <h1 className="visually-hidden">Runs</h1>
        <ErrorBlock
          error={error}
          title="The runs could not be listed"
          safe="Runs that are being trained go on."
          actions={
            <Button size="small" onClick={() => setAttempt(attempt + 1)}>
              Try again
            </Button>
          }
        />
      </div>
    );
  if (!loaded) return <div className="runs-alone" aria-busy="true" />;
  if (view.runs.length === 0)
    return (
      // biome-ignore lint/a11y/noStaticElementInteractions: N works anywhere in the screen
      <div className="runs-alone" onKeyDown={onKeyDown}>
        {pending && <PendingCell cell={pending} onDismiss={() => setPending(null)} />}
        <NoRuns onNew={() => setQuestion({ kind: "new" })} onStarted={started} />
        {dialogs}
      </div>
    );
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys of the screen work anywhere in it
    <div className="runs-screen" onKeyDown={onKeyDown}>
      <nav className="runs-side" aria-label="Runs">
        <div className="runs-side-head">
          <h1 className="runs-title">Runs</h1>
          <Button size="small" tone="primary" aria-keyshortcuts="N" onClick={() => setQuestion({ kind: "new" })}>
            New run…
          </Button>
        </div>
        <RunList
          view={view}
          onOpen={(folder) => {
            setComparing(false);
            dispatch({ type: "opened", folder });
          }}
          onToggle={(folder) => dispatch({ type: "toggled", folder })}
        />
        {!comparing && view.runs.length > 1 && (
          <div className="runs-buttons">
            <Button size="small" aria-keyshortcuts="C" onClick={compare}>
              {view.shown.length > 1 ? `Compare ${view.shown.length}` : "Compare…"}
            </Button>
          </div>
        )}
        <p className="runs-keys">
          N new · Space show or hide · Enter open · C compare · E rename · P base · S stop · [ ] smooth
        </p>
      </nav>
      <div className="runs-main">
        {pending && <PendingCell cell={pending} onDismiss={() => setPending(null)} />}
        {comparing ? (
          <CompareScreen
            runs={view.shown.flatMap((folder) => view.runs.filter((run) => run.folder === folder))}
            chartRuns={chartRuns}
            feeds={feeds}
            slots={view.slots}
            smoothing={smoothing}
            onSmoothing={setSmoothing}
            onDrop={(folder) => dispatch({ type: "toggled", folder })}
            onPin={pin}
            onBack={() => setComparing(false)}
          />
        ) : (
          <>
            {open && (
              <RunStateLine
                run={open}
                heading
                {...(view.slots[open.folder] === undefined ? {} : { slot: view.slots[open.folder]! })}
              />
            )}
            {open && (
              <RunProblem run={open} onLog={() => setTab("log")} onForked={() => dispatch({ type: "awaited" })} />
            )}
            {chartRuns.length > 0 ? (
              <RunCharts runs={chartRuns} smoothing={smoothing} onSmoothing={setSmoothing} height={248} />
            ) : (
              <p className="runs-none">Tick a run to see its curves.</p>
            )}
            {open && (
              <RunDetails key={open.folder} run={open} feed={feeds.get(open.folder) ?? null} tab={tab} onTab={setTab} />
            )}
          </>
        )}
      </div>
      {dialogs}
    </div>
  );
}
