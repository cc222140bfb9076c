/** Scoring an encoder that is being trained, on the tasks of its run. */
import path from "node:path";
import { loadTask, type Task } from "../data/task.ts";
import type { Embedder } from "../evaluate/embedder.ts";
import { evaluate } from "../evaluate/evaluate.ts";
import type { PromptSpec } from "../evaluate/prompt-sides.ts";
import type { RunConfig } from "../protocol/run-files.ts";
import { duration, type EvalMetric } from "./run-view.ts";
import { Scoreboard } from "./scoreboard.ts";

export interface ScoringContext {
  signal: AbortSignal;
  onProgress: () => void;
  /** A score is there: it belongs into metrics.jsonl at once. */
  onScore: (metric: EvalMetric) => void;
  log: (line: string) => void;
}

export class RunEvaluation {
  readonly board: Scoreboard;
  /** What the last whole round of all tasks took. */
  lastRoundMs = 0;
  readonly #config: RunConfig;
  readonly #tasks: readonly Task[];
  readonly #main = new Map<number, number>();

  /** @param history evaluations that are in metrics.jsonl, in order. @throws task.* */
  static async open(folder: string, config: RunConfig, history: readonly EvalMetric[]): Promise<RunEvaluation> {
    const tasks: Task[] = [];
    for (const file of config.evaluation?.files ?? []) tasks.push(await loadTask(path.join(folder, file)));
    return new RunEvaluation(config, tasks, history);
  }

  constructor(config: RunConfig, tasks: readonly Task[], history: readonly EvalMetric[]) {
    this.#config = config;
    this.#tasks = tasks;
    this.board = new Scoreboard(
      config,
      tasks.map(({ name }) => name),
    );
    for (const metric of history) this.#add(metric);
  }

  /**
   * True when the weights of a step are to be scored before training goes on. The last step's are scored after export,
   * unless the best step is exported: then the last one takes part in the choice.
   */
  isDueInTraining(step: number): boolean {
    const { steps, keep } = this.#config;
    return this.board.isDue(step) && (step < steps || keep === "best") && this.board.missing(step).length > 0;
  }

  /** Scored steps, best first; of equal ones the earlier. */
  ranking(): number[] {
    return [...this.#main]
      .filter(([step]) => step > 0)
      .sort(([a, x], [b, y]) => y - x || a - b)
      .map(([step]) => step);
  }

  describeEnd(): string {
    const best = this.board.best;
    return `no better score in ${this.#config.evaluation?.patience} evaluations after step ${best?.step}`;
  }

  /**
   * Score the encoder on the tasks that a step lacks.
   * @throws work.cancelled (the tasks scored before it stay scored), evaluate.*
   */
  async score(step: number, embedder: Embedder, { signal, onProgress, onScore, log }: ScoringContext): Promise<void> {
    const { prompts, seed } = this.#config;
    const missing = this.board.missing(step);
    const began = performance.now();
    for (const place of missing) {
      const task = this.#tasks[place]!;
      const from = performance.now();
      const result = await evaluate(embedder, task, { ...taskPrompts(task, prompts), seed, signal, onProgress });
      const { score, interval, n, metric } = result;
      const line: EvalMetric = {
        kind: "eval",
        step,
        metric,
        score,
        low: interval.low,
        high: interval.high,
        n,
        seed: result.seed,
        task: task.name,
      };
      onScore(line);
      this.#add(line);
      for (const warning of step === 0 ? result.report.warnings : []) log(warning);
      const times100 = (value: number) => (100 * value).toFixed(2);
      log(
        `step ${step}: ${task.name} ${metric} ×100 ${times100(score)} [${times100(interval.low)}, ${times100(interval.high)}], n = ${n}, ${duration(performance.now() - from)}`,
      );
    }
    if (missing.length === this.#tasks.length) this.lastRoundMs = performance.now() - began;
  }

  #add(metric: EvalMetric): void {
    this.board.add(metric);
    if (metric.task === this.#tasks[0]?.name && !this.#main.has(metric.step)) this.#main.set(metric.step, metric.score);
  }
}

/** Anchors are what people ask with: their prompt goes to queries, the positives' prompt to documents. */
export function taskPrompts(task: Task, { anchor, positive }: RunConfig["prompts"]): { prompts?: PromptSpec } {
  const template = (prompt: string) => (prompt === "" ? "{text}" : prompt);
  if (anchor === "" && positive === "") return {};
  return task.type === "retrieval"
    ? { prompts: { query: template(anchor), document: template(positive) } }
    : { prompts: { text: template(anchor) } };
}
