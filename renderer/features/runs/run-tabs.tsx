/** Data, checkpoints and notes of the open run: what stands in its folder beside the curves. */
import { useContext, useEffect, useRef, useState } from "react";
import { type ErrorData, isCancelled, toErrorData } from "../../../kernels/protocol/errors.ts";
import type { RunSummary } from "../../../kernels/protocol/run-files.ts";
import type { RunDetails } from "../../../kernels/protocol/run-plans.ts";
import { metricName } from "../../plot/metric-names.ts";
import type { RunFeed } from "../../plot/run/run-feed.ts";
import { runWord } from "../../plot/run/run-state.tsx";
import { AppContext } from "../../state/hooks.ts";
import { announce } from "../../ui/announce.ts";
import { Button } from "../../ui/button.tsx";
import { ErrorBlock } from "../../ui/error-block.tsx";
import { formatAge, formatBytes, formatCount, formatFixed, plural } from "../../ui/numbers.ts";
import { TrainingRows } from "./data-head.tsx";

/** What the folder holds; read again whenever a checkpoint was written or the run ended. */
export function useDetails(run: RunSummary): { details: RunDetails | null; error: ErrorData | null } {
  const app = useContext(AppContext);
  const [details, setDetails] = useState<RunDetails | null>(null);
  const [error, setError] = useState<ErrorData | null>(null);
  const { folder } = run;
  const { lastCheckpoint, state } = run.status;
  // biome-ignore lint/correctness/useExhaustiveDependencies: a new checkpoint or state changes the folder
  useEffect(() => {
    if (app === null) return;
    let gone = false;
    app.client.call("runs.details", { folder }).then(
      (found) => {
        if (gone) return;
        setDetails(found);
        setError(null);
      },
      (reason: unknown) => {
        if (!gone && !isCancelled(reason)) setError(toErrorData(reason));
      },
    );
    return () => {
      gone = true;
    };
  }, [app, folder, lastCheckpoint, state]);
  return { details, error };
}

export function DataTab({ run }: { run: RunSummary }) {
  const { details, error } = useDetails(run);
  const { data } = run.config;
  if (error) return <ErrorBlock error={error} title="The data could not be read" safe="The run itself is untouched." />;
  if (details === null) return <p className="muted">Reading the data…</p>;
  const { rows, report } = details;
  if (report === null)
    return (
      <p>
        {plural(data.n, "row")} from {data.source}; the file is too large to look into here. Its report is in the log.
      </p>
    );
  const facts: [string, string][] = [
    ["rows", `${formatCount(report.n)} from ${data.source}`],
    ["duplicates", `${formatCount(report.duplicates)} (never in one batch)`],
    ["equal sides", formatCount(report.equalSides)],
    ["groups", report.groups === 0 ? "none" : `${formatCount(report.groups)} (one row of each a batch)`],
    ["hard negatives", data.negatives === 0 ? "none" : `${data.negatives} of each row`],
    ...(report.tasks.length === 0
      ? []
      : ([["tasks", report.tasks.map(({ name, n }) => `${name} ${formatCount(n)}`).join(", ")]] as [string, string][])),
    ["sha256", data.sha256.slice(0, 16)],
  ];
  return (
    <div className="runs-data">
      <dl className="runs-config">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {rows.length > 0 && <TrainingRows rows={rows} n={report.n} />}
    </div>
  );
}

export function CheckpointsTab({ run, feed }: { run: RunSummary; feed: RunFeed | null }) {
  const app = useContext(AppContext);
  const { details, error } = useDetails(run);
  const [asked, setAsked] = useState<number | null>(null);
  const { config, folder } = run;
  const word = runWord(run);
  const live = word === "running" || word === "starting" || word === "stopping";
  const evals = feed?.series.evals ?? [];
  const checkpoints = details?.checkpoints ?? [];
  const best = Math.max(...checkpoints.map(({ score }) => score ?? Number.NEGATIVE_INFINITY));
  const fork = (step: number) => {
    if (app === null) return;
    setAsked(step);
    app.client
      .call("runs.fork", { folder, step })
      .then(
        () => announce(`A new run goes on from checkpoint ${step}.`),
        (reason: unknown) => app.report(reason),
      )
      .finally(() => setAsked(null));
  };
  return (
    <div className="runs-checkpoints">
      {error && <ErrorBlock error={error} title="The checkpoints could not be listed" />}
      {checkpoints.length === 0 ? (
        <p>No checkpoint yet. One is written every {plural(config.checkpointEvery, "step")}.</p>
      ) : (
        <table className="runs-evals">
          <caption>
            Checkpoints; one is written every {plural(config.checkpointEvery, "step")}, the two newest and the best stay
          </caption>
          <thead>
            <tr>
              <th scope="col">step</th>
              <th scope="col">score ×100</th>
              <th scope="col">size</th>
              <th scope="col">written</th>
              <th scope="col">
                <span className="visually-hidden">Actions</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {checkpoints.map(({ step, score, bytes, writtenAt }) => (
              <tr key={step}>
                <th scope="row">{formatCount(step)}</th>
                <td>
                  {score === null ? "–" : formatFixed(score * 100, 2)}
                  {score !== null && score === best && " best"}
                </td>
                <td>{formatBytes(bytes)}</td>
                <td title={writtenAt}>{formatAge(writtenAt, Date.now())}</td>
                <td>
                  <Button
                    size="small"
                    disabled={live || asked !== null || step >= config.steps}
                    title={
                      step >= config.steps
                        ? "It is the last step"
                        : live
                          ? "The run is being trained"
                          : "A new run goes on from here; this one stays as it is"
                    }
                    onClick={() => fork(step)}
                  >
                    {asked === step ? "Starting…" : `New run from ${formatCount(step)}`}
                  </Button>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      {details?.exported && (
        <>
          <p>The finished encoder is in the folder export/.</p>
          <pre className="runs-code">
            <code>{`const tuned = await loadEncoder(${JSON.stringify(`${folder}/export`)});`}</code>
          </pre>
        </>
      )}
      {evals.length > 0 && (
        <table className="runs-evals">
          <caption>Evaluations, ×100 with 95 % interval</caption>
          <thead>
            <tr>
              <th scope="col">step</th>
              <th scope="col">task</th>
              <th scope="col">metric</th>
              <th scope="col">score</th>
              <th scope="col">interval</th>
              <th scope="col">n</th>
              <th scope="col">seed</th>
            </tr>
          </thead>
          <tbody>
            {evals.map((point) => (
              <tr key={`${point.step}-${point.task}-${point.metric}`}>
                <th scope="row">{point.step === 0 ? "base" : formatCount(point.step)}</th>
                <td>{point.task}</td>
                <td>{metricName(point.metric)}</td>
                <td>{formatFixed(point.score * 100, 2)}</td>
                <td>
                  {formatFixed(point.low * 100, 2)} to {formatFixed(point.high * 100, 2)}
                </td>
                <td>{formatCount(point.n)}</td>
                <td>{point.seed}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}

const SAVE_AFTER_MS = 600;

/** Saved by itself while one types, into label.json of the run. */
export function NotesTab({ run }: { run: RunSummary }) {
  const app = useContext(AppContext);
  const [text, setText] = useState(run.label?.notes ?? "");
  const [state, setState] = useState<"saved" | "typing" | "failed">("saved");
  const timer = useRef<ReturnType<typeof setTimeout> | null>(null);
  const waiting = useRef<string | null>(null);
  const { folder } = run;
  const save = useRef(() => undefined as undefined);
  save.current = () => {
    const notes = waiting.current;
    if (timer.current !== null) clearTimeout(timer.current);
    timer.current = null;
    if (notes === null || app === null) return;
    waiting.current = null;
    app.client.call("runs.label", { folder, notes }).then(
      () => setState("saved"),
      (error: unknown) => {
        setState("failed");
        app.report(error);
      },
    );
  };
  useEffect(() => () => save.current(), []);
  return (
    <div className="runs-notes">
      <textarea
        className="field"
        aria-label="Notes"
        rows={8}
        value={text}
        placeholder="What you tried and what you saw."
        onChange={(event) => {
          setText(event.currentTarget.value);
          setState("typing");
          waiting.current = event.currentTarget.value;
          if (timer.current !== null) clearTimeout(timer.current);
          timer.current = setTimeout(() => save.current(), SAVE_AFTER_MS);
        }}
        onBlur={() => save.current()}
      />
      <p className="type-caption" role="status">
        {state === "typing" ? "Not saved yet…" : state === "failed" ? "✕ Not saved." : "Kept in the run's folder."}
      </p>
    </div>
  );
}
