import { useEffect, useState } from "react";
import { restart } from "../../commands/app-commands.ts";
import { runCommand } from "../../commands/table.ts";
import { sameItems, useApp, useSelect } from "../../state/hooks.ts";
import { jobList } from "../../state/jobs.ts";
import type { JobState } from "../../state/types.ts";
import { Button } from "../../ui/button.tsx";
import { describeJob } from "../../ui/job-text.ts";
import { Kbd } from "../../ui/kbd.tsx";
import { ProgressBar } from "../../ui/progress-bar.tsx";
import "./jobs.css";

/** After this long without an end, a job that was asked to stop may be stopped by force. */
export const FORCE_AFTER_MS = 5000;

/** The bar at the bottom: what runs, how far it is, how to stop it. */
export function JobsBar() {
  const app = useApp();
  const jobs = useSelect((state) => jobList(state.jobs), sameItems);
  const [first, ...others] = jobs;
  return (
    // Its numbers change all the time: a landmark, but not spoken by itself.
    <div className="jobs-bar" role="status" aria-live="off" data-region="jobs" aria-label="Jobs" tabIndex={-1}>
      {first ? <JobLine job={first} /> : <span className="faint">No job is running</span>}
      {others.length > 0 && (
        <span className="jobs-more" title={others.map(describeJob).join("\n")}>
          + {others.length} more
        </span>
      )}
      <span className="spring" />
      <button type="button" className="jobs-keys" onClick={() => runCommand(app, "app.palette")}>
        <Kbd keys="Mod+K" /> commands
      </button>
    </div>
  );
}

function JobLine({ job }: { job: JobState }) {
  const app = useApp();
  const force = useForce(job);
  const share = job.total > 0 ? ` ${Math.floor((job.done / job.total) * 100)} %` : "";
  return (
    <>
      <span className="tone-busy" aria-hidden="true">
        ◐
      </span>
      <span className="jobs-text tabular">{describeJob({ ...job, stage: `${job.stage}${share}` })}</span>
      <span className="jobs-progress">
        <ProgressBar done={job.done} total={job.total} label={job.stage} />
      </span>
      {force && job.docId !== null ? (
        <Button size="small" tone="danger" onClick={() => void restart(app, job.docId as string)}>
          Force stop (restarts the kernel, variables are lost)
        </Button>
      ) : (
        // Not `disabled`: that would take the keyboard away from whoever pressed it.
        <Button
          size="small"
          aria-disabled={job.cancelledAt !== null}
          onClick={() => job.cancelledAt === null && void app.cancelJob(job.id)}
        >
          {job.cancelledAt === null ? "Cancel" : "Stopping…"}
        </Button>
      )}
    </>
  );
}

function useForce(job: JobState): boolean {
  const [force, setForce] = useState(false);
  useEffect(() => {
    setForce(false);
    if (job.cancelledAt === null) return;
    const left = Math.max(0, job.cancelledAt + FORCE_AFTER_MS - Date.now());
    const timer = setTimeout(() => setForce(true), left);
    return () => clearTimeout(timer);
  }, [job.cancelledAt]);
  return force;
}
