/** One line about a job: stage, done of total, rate, time left. */
import type { Job } from "../../kernels/protocol/host-methods.ts";
import { formatBytes, formatCount, formatDuration, formatRate } from "./units.ts";

export function describeJob(job: Pick<Job, "stage" | "done" | "total" | "unit" | "rate" | "etaMs" | "note">): string {
  const amount = (n: number) => (job.unit === "bytes" ? formatBytes(n) : formatCount(n));
  const unit = job.unit === "bytes" ? "" : ` ${job.unit}`;
  const parts: string[] = [job.stage];
  if (job.total > 0) parts.push(`${amount(job.done)} of ${amount(job.total)}${unit}`);
  else if (job.done > 0) parts.push(`${amount(job.done)}${unit}`);
  if (job.rate !== null && job.rate > 0)
    parts.push(job.unit === "bytes" ? `${formatBytes(job.rate)}/s` : formatRate(job.rate, job.unit));
  if (job.etaMs !== null && job.etaMs >= 500) parts.push(`${formatDuration(job.etaMs)} left`);
  if (job.note) parts.push(job.note);
  return parts.join(" · ");
}
