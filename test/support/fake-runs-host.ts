/** A host in the page that knows runs only: three finished ones and one that trains while you watch. */
import { HOST_PROTOCOL_VERSION, type Port } from "../../kernels/protocol/host-methods.ts";
import type { RunMetric, RunSummary } from "../../kernels/protocol/run-files.ts";
import { runMetrics, runSummary } from "./output-fixtures.ts";

export interface FakeRunsHost {
  connect: () => Promise<Port>;
  /** Calls received, for the tests. */
  calls: { method: string; params: unknown }[];
}

interface Params {
  folder?: string;
  file?: string;
  name?: string;
  notes?: string;
  recipe?: Record<string, unknown>;
  dropDuplicates?: boolean;
  measure?: boolean;
}

export function fakeRunsHost(options: { empty?: boolean; stepEveryMs?: number } = {}): FakeRunsHost {
  const calls: FakeRunsHost["calls"] = [];
  const runs: RunSummary[] = options.empty
    ? []
    : [
        runSummary("calm-heron", { state: "running", step: 140, createdAt: "2026-03-03T09:00:00.000Z" }),
        runSummary("lively-otter", { createdAt: "2026-03-02T09:00:00.000Z" }),
        runSummary("brisk-finch", { state: "running", alive: false, step: 230, createdAt: "2026-03-01T09:00:00.000Z" }),
        runSummary("hasty-lynx", {
          state: "failed",
          step: 212,
          createdAt: "2026-02-27T09:00:00.000Z",
          error: {
            code: "train.loss-not-finite",
            kind: "user",
            message: "Loss is NaN at step 212 (learning rate 0.01, gradient norm 4.1e7).",
            hint: "Resume from 200 with a learning rate of 0.001.",
          },
        }),
      ];
  const metrics = new Map<string, RunMetric[]>(
    runs.map((run, i) => [run.folder, runMetrics(400, { seed: i + 1, until: run.status.step })]),
  );
  const log = (run: RunSummary) =>
    `10:00:02 loaded ${run.config.encoder.name}, 10.65 M trained parameters\n10:00:04 base cosine_spearman 82.03 [79.91, 83.92] n 1379\n10:00:05 step 1 loss 2.2131\n`;

  const connect = async (): Promise<Port> => {
    const listeners = new Set<(message: unknown) => void>();
    const say = (message: unknown) => {
      for (const listener of listeners) listener(message);
    };
    const watched = new Set<string>();
    const future = runMetrics(400, { seed: 1 });
    const live = runs.find((run) => run.alive);
    if (live && options.stepEveryMs)
      setInterval(() => {
        if (live.status.state !== "running") return;
        const step = live.status.step + 1;
        live.status = { ...live.status, step, etaMs: ((400 - step) / 2.1) * 1000 };
        if (step >= 400) {
          live.status = { ...live.status, state: "done", pid: null };
          live.alive = false;
        }
        const fresh = future.filter((metric) => metric.step === step);
        metrics.get(live.folder)!.push(...fresh);
        if (watched.has(live.folder))
          say({
            event: "run.updated",
            payload: {
              folder: live.folder,
              run: structuredClone(live),
              metrics: fresh,
              log: `10:01:00 step ${step}\n`,
            },
          });
      }, options.stepEveryMs);
    const answer = (method: string, params: Params): unknown => {
      const run = runs.find((candidate) => candidate.folder === params.folder);
      switch (method) {
        case "app.hello":
          return {
            version: HOST_PROTOCOL_VERSION,
            product: "Parallax",
            shell: "browser",
            platform: "linux",
            root: "/home/ada/notebooks",
            cores: 2,
            memoryBytes: 8 * 2 ** 30,
            settings: { theme: "system", density: "comfortable", threads: 2 },
          };
        case "runs.list":
          return { runs };
        case "runs.watch":
          if (!run) throw { code: "run.missing", kind: "user", message: `There is no run folder ${params.folder}.` };
          watched.add(run.folder);
          return { run, metrics: metrics.get(run.folder), log: log(run) };
        case "runs.unwatch":
          watched.delete(params.folder ?? "");
          return {};
        case "runs.stop":
          if (run) {
            run.status = { ...run.status, state: "stopped", pid: null };
            run.alive = false;
            say({ event: "run.updated", payload: { folder: run.folder, run, metrics: [], log: "10:02:00 stopped\n" } });
            say({ event: "runs.changed", payload: {} });
          }
          return {};
        case "runs.resume":
          return {};
        case "runs.details":
          return {
            rows: [
              { anchor: "How do I renew a passport?", positive: "Renewing a passport takes three weeks." },
              { anchor: "Where is the nearest bank?", positive: "A bank is two streets away." },
            ],
            report: { n: 1406, duplicates: 14, equalSides: 2, groups: 0, tasks: [] },
            checkpoints: [100, 200].map((step) => ({
              ...{ step, bytes: 127_400_000, score: 0.82 + step / 1e4 },
              writtenAt: "2026-03-01T10:00:00.000Z",
            })),
            evaluation: [{ file: "data/task.json", sha256: run?.config.name === "brisk-finch" ? "bb" : "aa" }],
            exported: run?.status.state === "done",
          };
        case "runs.label":
          if (run) {
            run.label = {
              name: params.name ?? run.label?.name ?? "",
              notes: params.notes ?? run.label?.notes ?? "",
              pinned: run.label?.pinned ?? false,
            };
            say({ event: "runs.changed", payload: {} });
          }
          return { run };
        case "runs.pin":
          for (const each of runs)
            each.label = { name: "", notes: "", ...each.label, pinned: each.folder === params.folder };
          say({ event: "runs.changed", payload: {} });
          return {};
        case "runs.fork":
          return { folder: `${params.folder}-from` };
        case "encoders.list":
          return { entries: [], disk: { freeBytes: 42e9, encodersBytes: 0, folder: "/home/ada/.parallax" } };
        case "files.list":
          return {
            folder: "",
            entries: [
              {
                ...{ name: "pairs.jsonl", path: "pairs.jsonl", kind: "file" },
                ...{ modifiedAt: "2026-03-01T10:00:00.000Z", sizeBytes: 1 },
              },
            ],
          };
        case "runs.preview":
          if (params.file !== "pairs.jsonl")
            throw {
              code: "table.not-found",
              kind: "user",
              message: `There is no file ${params.file}.`,
              hint: "Check the path; it starts at /home/ada/notebooks.",
            };
          return {
            file: "/home/ada/notebooks/pairs.jsonl",
            n: 200,
            sizeBytes: 21_400,
            columns: ["anchor", "positive", "topic"],
            rows: Array.from({ length: 5 }, (_, i) => [
              `How do I renew passport number ${i + 1}?`,
              "Renewing a passport takes three weeks; bring the old one and a photograph.",
              "travel",
            ]),
          };
        case "runs.plan": {
          const { batchSize, steps } = params.recipe as { batchSize: number; steps?: number };
          if (batchSize > 64)
            throw {
              code: "train.not-enough-memory",
              kind: "environment",
              message: `Training with batches of ${batchSize} pairs of up to 128 tokens needs about 7.9 GB; 6.1 GB are free. Nothing was started.`,
              hint: "Use batchSize 32, or shorter texts (maxTokens).",
              details: { batchSize: 32 },
            };
          return {
            ...{ n: params.dropDuplicates ? 186 : 200, rows: [], duplicates: params.dropDuplicates ? 0 : 14 },
            ...{ negatives: 0, steps: steps ?? 6, batchSize, maxTokens: 128, weightsSha256: "aa" },
            ...{ memoryBytes: 1.9e9, freeBytes: 6.1e9, notes: [], measuredMs: null },
            ...{ elapsedMs: 360_000, elapsedFrom: params.measure ? "steps made just now" : "steps of lively-otter" },
          };
        }
        default:
          throw { code: "host.unknown-method", kind: "bug", message: `The fake host does not know ${method}.` };
      }
    };
    return {
      send: (message) => {
        const { id, method, params } = structuredClone(message) as {
          id?: number;
          method: string;
          params: Params;
        };
        if (id === undefined) return;
        if (method !== "app.hello") calls.push({ method, params });
        queueMicrotask(() => {
          try {
            say({ id, result: structuredClone(answer(method, params ?? {})) });
          } catch (error) {
            say({ id, error });
          }
        });
      },
      onMessage: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      onClose: () => () => undefined,
      close: () => undefined,
    };
  };
  return { connect, calls };
}
