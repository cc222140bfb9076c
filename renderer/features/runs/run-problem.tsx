import { useContext, useState } from "react";
import { type RunSummary, runTitle } from "../../../kernels/protocol/run-files.ts";
import { runWord } from "../../plot/run/run-state.tsx";
import { AppContext } from "../../state/hooks.ts";
import { announce } from "../../ui/announce.ts";
import { Button } from "../../ui/button.tsx";
import { ErrorBlock } from "../../ui/error-block.tsx";
import { formatCompact } from "../../ui/numbers.ts";

/** Errors that a lower learning rate cures: the loss is no number any more, or it grows without end. */
const TOO_FAST = /not-finite|diverged/;

interface Props {
  run: RunSummary;
  onLog(): void;
  /** A new run was begun from a checkpoint. */
  onForked(): void;
}

/** Why a run ended before its last step, what is kept, and what to do. */
export function RunProblem({ run, onLog, onForked }: Props) {
  const app = useContext(AppContext);
  const [asked, setAsked] = useState(false);
  const { status, config, folder } = run;
  const word = runWord(run);
  const last = status.lastCheckpoint;
  const kept =
    last === null ? "There is no checkpoint; the data and the configuration are kept." : `Checkpoint ${last} is kept.`;
  // Not 2.0000000000000003e-6.
  const slower = Number((config.learningRate / 10).toPrecision(6));
  const resumeSlower = () => {
    if (app === null || last === null) return;
    setAsked(true);
    onForked();
    app.client
      .call("runs.fork", { folder, step: last, learningRate: slower })
      .then(
        () => announce(`A new run goes on from checkpoint ${last} at ${slower}. ${runTitle(run)} stays as it is.`),
        (reason: unknown) => app.report(reason),
      )
      .finally(() => setAsked(false));
  };
  const log = (
    <Button size="small" onClick={onLog}>
      Open log
    </Button>
  );
  if (status.error)
    return (
      <ErrorBlock
        error={status.error}
        title={`${word === "failed" ? "Failed" : "Ended"} at step ${status.step}`}
        safe={kept}
        actions={
          <>
            {TOO_FAST.test(status.error.code) && last !== null && (
              <Button size="small" disabled={asked} onClick={resumeSlower}>
                {asked ? "Starting…" : `Resume from ${last} at ${formatCompact(slower)}`}
              </Button>
            )}
            {log}
          </>
        }
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
      actions={log}
    />
  );
}
