import { sameItems, useApp, useSelect } from "../../state/hooks.ts";
import { jobList } from "../../state/jobs.ts";
import { Button } from "../../ui/button.tsx";
import { describeJob } from "../../ui/job-text.ts";
import { ProgressBar, useDelayed } from "../../ui/progress-bar.tsx";

interface CellProgressProps {
  docId: string;
  cellId: string;
  running: boolean;
}

/** Under a running cell: each job's bar with stage, counts and time left; a thin line when nothing is counted. */
export function CellProgress({ docId, cellId, running }: CellProgressProps) {
  const app = useApp();
  const jobs = useSelect(
    (state) => jobList(state.jobs).filter((job) => job.docId === docId && job.cellId === cellId),
    sameItems,
  );
  const waiting = useDelayed(running && jobs.length === 0);
  if (jobs.length === 0)
    return waiting ? (
      <div className="cell-thin">
        <ProgressBar done={0} total={0} label="The cell runs" />
      </div>
    ) : null;
  return (
    <div className="cell-jobs">
      {jobs.map((job) => (
        <div key={job.id} className="cell-job">
          <div className="cell-job-bar">
            <ProgressBar done={job.done} total={job.total} label={job.stage} />
          </div>
          <span className="type-caption tabular">{describeJob(job)}</span>
          <Button
            size="small"
            aria-disabled={job.cancelledAt !== null}
            onClick={() => job.cancelledAt === null && void app.cancelJob(job.id)}
          >
            {job.cancelledAt === null ? "Stop" : "Stopping…"}
          </Button>
        </div>
      ))}
    </div>
  );
}
