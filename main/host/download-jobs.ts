/** Downloads of encoders as lines of the jobs bar: they are seen, and can be stopped, from every screen. */
import type { DownloadProgress, EncoderEvent, EncoderEventPayload } from "../../kernels/protocol/encoders.ts";
import type { Job } from "../../kernels/protocol/host-methods.ts";

const PREFIX = "encoder:";
const STAGES: Record<DownloadProgress["phase"], string> = {
  downloading: "Downloading",
  checking: "Checking",
  verifying: "Loading once to verify",
  done: "Loading once to verify",
};

/** The encoder of a job's id; null when the job is somebody else's. */
export function encoderOfJob(jobId: string): string | null {
  return jobId.startsWith(PREFIX) ? jobId.slice(PREFIX.length) : null;
}

export class DownloadJobs {
  readonly #jobs = new Map<string, Job>();
  readonly #emit: (job: Job) => void;

  constructor(emit: (job: Job) => void) {
    this.#emit = emit;
  }

  /** Takes an event of the encoder service. */
  note<E extends EncoderEvent>(event: E, payload: EncoderEventPayload<E>): void {
    if (event === "progress") {
      const { id, progress } = payload as EncoderEventPayload<"progress">;
      // Progress that comes after the end would leave a line behind.
      if (this.#jobs.has(id)) this.#show(id, progress);
    } else if (event === "changed") {
      const { entry } = payload as EncoderEventPayload<"changed">;
      if (entry.state === "downloading") this.#show(entry.id, entry.progress);
      else this.#end(entry.id);
    } else if (event === "removed") this.#end((payload as EncoderEventPayload<"removed">).id);
  }

  #show(id: string, progress: DownloadProgress | null): void {
    const job: Job = {
      id: `${PREFIX}${id}`,
      docId: null,
      cellId: null,
      stage: `${STAGES[progress?.phase ?? "downloading"]} ${id}`,
      done: progress?.doneBytes ?? 0,
      total: progress?.totalBytes ?? 0,
      unit: "bytes",
      rate: progress?.rate ?? null,
      etaMs: progress?.etaMs ?? null,
      note: progress?.note ?? null,
      finished: false,
    };
    this.#jobs.set(id, job);
    this.#emit(job);
  }

  #end(id: string): void {
    const job = this.#jobs.get(id);
    if (job === undefined) return;
    this.#jobs.delete(id);
    this.#emit({ ...job, finished: true });
  }
}
