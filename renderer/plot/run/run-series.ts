/** The numbers of one run in growing typed arrays: what the charts draw from, without a copy per point. */
import type { RunMetric } from "../../../kernels/protocol/run-files.ts";

class Column {
  data = new Float64Array(512);
  push(value: number, at: number): void {
    if (at >= this.data.length) {
      const larger = new Float64Array(this.data.length * 2);
      larger.set(this.data);
      this.data = larger;
    }
    this.data[at] = value;
  }
}

export interface EvalPoint {
  step: number;
  metric: string;
  score: number;
  low: number;
  high: number;
  n: number;
  seed: number;
  task: string;
}

/** What two points must share to lie on one curve. */
export const evalKey = ({ task, metric }: Pick<EvalPoint, "task" | "metric">): string => `${task}\n${metric}`;

export class RunSeries {
  /** Number of steps in the columns. */
  n = 0;
  #step = new Column();
  #loss = new Column();
  #learningRate = new Column();
  #gradNorm = new Column();
  #elapsedMs = new Column();
  evals: EvalPoint[] = [];
  /** Grows with every change. */
  version = 0;

  get step(): Float64Array {
    return this.#step.data;
  }
  get loss(): Float64Array {
    return this.#loss.data;
  }
  get learningRate(): Float64Array {
    return this.#learningRate.data;
  }
  get gradNorm(): Float64Array {
    return this.#gradNorm.data;
  }

  /** Since the run began, pauses left out. */
  get elapsedMs(): Float64Array {
    return this.#elapsedMs.data;
  }

  clear(): void {
    this.n = 0;
    this.evals = [];
    this.version++;
  }

  /** A step that was already there comes from a resumed run: it and what followed it is replaced. */
  add(metrics: readonly RunMetric[]): void {
    if (metrics.length === 0) return;
    for (const metric of metrics) {
      if (metric.kind === "step") {
        while (this.n > 0 && this.#step.data[this.n - 1]! >= metric.step) this.n--;
        this.#step.push(metric.step, this.n);
        this.#loss.push(metric.loss, this.n);
        this.#learningRate.push(metric.learningRate, this.n);
        this.#gradNorm.push(metric.gradNorm, this.n);
        this.#elapsedMs.push(metric.elapsedMs, this.n);
        this.n++;
      } else {
        this.evals = this.evals.filter((point) => point.step < metric.step || evalKey(point) !== evalKey(metric));
        this.evals.push(metric);
      }
    }
    this.version++;
  }
}
