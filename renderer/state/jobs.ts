/** Work that takes long, whoever does it: a line in the jobs bar and a bar under its cell. */
import type { Job } from "../../kernels/protocol/host-methods.ts";
import type { AppState, JobState } from "./types.ts";

export type JobAction =
  | { type: "job.changed"; job: Job; now: number }
  | { type: "job.cancelled"; jobId: string; now: number };

export function reduceJobs(jobs: AppState["jobs"], action: JobAction): AppState["jobs"] {
  if (action.type === "job.cancelled") {
    const job = jobs[action.jobId];
    if (!job || job.cancelledAt !== null) return jobs;
    return { ...jobs, [job.id]: { ...job, cancelledAt: action.now } };
  }
  const { job, now } = action;
  const { [job.id]: before, ...rest } = jobs;
  if (job.finished) return rest;
  const next: JobState = { ...job, since: before?.since ?? now, cancelledAt: before?.cancelledAt ?? null };
  // A late message never moves a bar back.
  if (before && before.stage === job.stage && job.done < before.done) next.done = before.done;
  return { ...rest, [job.id]: next };
}

/** Oldest first. */
export function jobList(jobs: AppState["jobs"]): JobState[] {
  return Object.values(jobs).sort((a, b) => a.since - b.since || (a.id < b.id ? -1 : 1));
}
