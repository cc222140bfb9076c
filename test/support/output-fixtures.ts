/** Realistic, seeded outputs of every kind, for the output tests and their screenshots. */
import { type MapView, MIME, type RunView, type TableView, type ValuePreview } from "../../kernels/protocol/display.ts";
import type {
  EncodeReport,
  EncoderIdentity,
  PromptReport,
  PromptScore,
  TaskResult,
} from "../../kernels/protocol/results.ts";
import type { RunConfig, RunMetric, RunSummary } from "../../kernels/protocol/run-files.ts";
import type { Output } from "../../notebooks/format/model.ts";
import { RUN_DEFAULTS } from "./run-defaults.ts";

/** mulberry32: enough for pictures, the same on every machine. */
export function random(seed: number): () => number {
  let a = seed >>> 0;
  return () => {
    a = (a + 0x6d2b79f5) >>> 0;
    let t = a;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function gauss(next: () => number): number {
  return Math.sqrt(-2 * Math.log(next() || 1e-12)) * Math.cos(2 * Math.PI * next());
}

export function base64(array: Float32Array | Int32Array): string {
  const bytes = new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

const result = (data: Record<string, unknown>): Output => ({
  output_type: "execute_result",
  data,
  metadata: {},
  execution_count: 3,
});
const display = (data: Record<string, unknown>): Output => ({ output_type: "display_data", data, metadata: {} });

const ENCODER: EncoderIdentity = {
  reference: "default",
  name: "all-MiniLM-L6-v2",
  architecture: "bert",
  dimensions: 384,
  maxTokens: 256,
  pooling: "mean",
  normalised: true,
  weightsSha256: "6638f625a0a60bdaa1e34c5fee0a17c705f13b98b43a7973e9d366106a55273d",
  provider: "cpu",
  precision: "float32",
};

const report = (warnings: string[] = []): EncodeReport => ({
  n: 2758,
  tokens: 38_112,
  truncated: [],
  maxTokens: 256,
  empty: [],
  unknownShare: 0.001,
  scripts: [["Latin", 0.999]],
  elapsedMs: 6400,
  textsPerSecond: 431,
  warnings,
});

const SUBJECTS: Record<string, [who: string[], what: string[]]> = {
  travel: [
    ["the passport office", "an overnight train", "the border crossing", "a cheap flight"],
    ["renewal in two weeks", "with a folding bicycle", "after the storm closed the pass", "from Lisbon to Porto"],
  ],
  cooking: [
    ["a cast iron pan", "sourdough starter", "the lentil stew", "fresh basil"],
    ["before it burns", "kept in the fridge for a month", "without any stock", "frozen in olive oil"],
  ],
  finance: [
    ["the index fund", "a fixed rate mortgage", "quarterly tax", "the savings account"],
    ["after the rate cut", "for freelancers", "over thirty years", "with a hidden fee"],
  ],
  astronomy: [
    ["the crab nebula", "a binary pulsar", "the lunar eclipse", "a small telescope"],
    ["seen from the southern sky", "timed to a microsecond", "for a beginner", "behind thin clouds"],
  ],
  gardening: [
    ["tomato seedlings", "the compost heap", "a pruning saw", "clay soil"],
    ["in early spring", "that smells of ammonia", "for an old apple tree", "after weeks of rain"],
  ],
  medicine: [
    ["the vaccine trial", "chronic back pain", "a blood test", "the night nurse"],
    ["with a placebo arm", "treated by walking", "read by two doctors", "on the third shift"],
  ],
  code: [
    ["the type checker", "a flaky test", "the garbage collector", "a merge conflict"],
    ["in a large monorepo", "that fails on Mondays", "under memory pressure", "in the lock file"],
  ],
  music: [
    ["the string quartet", "a detuned piano", "the drum loop", "her second album"],
    ["in a stone church", "recorded on tape", "at half the tempo", "sung in Welsh"],
  ],
  sports: [
    ["the relay team", "a penalty kick", "the marathon route", "the home side"],
    ["in the last minute", "along the river", "after extra time", "with ten players"],
  ],
  law: [
    ["the rental contract", "a patent claim", "the appeal court", "a witness"],
    ["with a clause on pets", "rejected for lack of novelty", "sent back to trial", "heard by video"],
  ],
};

/** Points in clumps, neighbours found exactly from 8-dimensional stand-ins for the vectors. */
export function mapView(n: number, options: { labels?: number; withLabels?: boolean } = {}): MapView {
  const next = random(7);
  const names = Object.keys(SUBJECTS).slice(0, options.labels ?? 10);
  const vectors = new Float32Array(n * 8);
  const points = new Float32Array(n * 2);
  const texts: string[] = [];
  const labels: string[] = [];
  const centres = names.map((_, i) => ({
    angle: (i / names.length) * 2 * Math.PI,
    radius: 5 + 3 * next(),
    v: Array.from({ length: 8 }, () => gauss(next)),
  }));
  for (let i = 0; i < n; i++) {
    const which = Math.min(names.length - 1, Math.floor(next() ** 1.3 * names.length));
    const centre = centres[which]!;
    const [who, what] = SUBJECTS[names[which]!]!;
    const spread = 0.7 + 0.5 * next();
    points[2 * i] = centre.radius * Math.cos(centre.angle) + gauss(next) * spread;
    points[2 * i + 1] = centre.radius * 0.8 * Math.sin(centre.angle) + gauss(next) * spread;
    for (let j = 0; j < 8; j++) vectors[8 * i + j] = centre.v[j]! + 0.35 * gauss(next);
    texts.push(`${who[Math.floor(next() * who.length)]} ${what[Math.floor(next() * what.length)]}`);
    labels.push(names[which]!);
  }
  const k = 15;
  const neighbours = new Int32Array(n * k);
  const similarities = new Float32Array(n * k);
  const norm = (i: number) => Math.hypot(...vectors.subarray(8 * i, 8 * i + 8));
  const norms = Float64Array.from({ length: n }, (_, i) => norm(i));
  // A window keeps large fixtures quick; small ones are searched whole.
  const reach = Math.min(n, 800, Math.max(40, Math.floor(500_000 / n)));
  for (let i = 0; i < n; i++) {
    const from = Math.max(0, Math.min(n - reach, i - (reach >> 1)));
    const scored: [number, number][] = [];
    for (let j = from; j < from + reach; j++) {
      if (j === i) continue;
      let dot = 0;
      for (let c = 0; c < 8; c++) dot += vectors[8 * i + c]! * vectors[8 * j + c]!;
      scored.push([j, dot / (norms[i]! * norms[j]!)]);
    }
    scored.sort((a, b) => b[1] - a[1]);
    for (let j = 0; j < k; j++) {
      neighbours[i * k + j] = scored[j]![0];
      similarities[i * k + j] = scored[j]![1];
    }
  }
  return {
    version: 1,
    n,
    dimensions: 384,
    points: base64(points),
    texts,
    ...(options.withLabels === false ? {} : { labels, labelName: "topic" }),
    neighbours: base64(neighbours),
    similarities: base64(similarities),
    k,
    metric: "cosine",
    method: "umap",
    minDist: 0.1,
    epochs: 500,
    seed: 7,
    trustworthiness: 0.943,
    trustworthinessK: 15,
    trustworthinessN: n,
    notes: ["3 of 603 rows left out: their vectors hold NaN (rows 17, 201, 388)."],
    encoderName: "all-MiniLM-L6-v2",
  };
}

/** A loss that falls under ln b with noise, learning rate with warm-up, an evaluation every `evalEvery` steps. */
export function runMetrics(
  steps: number,
  options: { seed?: number; until?: number; batch?: number; evalEvery?: number } = {},
): RunMetric[] {
  const next = random(options.seed ?? 7);
  const out: RunMetric[] = [];
  const chance = Math.log(options.batch ?? 32);
  const every = options.evalEvery ?? 100;
  for (let step = 0; step <= Math.min(steps, options.until ?? steps); step++) {
    const t = step / steps;
    if (step % every === 0) {
      const score = 0.8203 + 0.021 * (1 - Math.exp(-3 * t)) + (step === 0 ? 0 : 0.0015 * gauss(next));
      out.push({
        kind: "eval",
        step,
        metric: "cosine_spearman",
        score,
        low: score - 0.019,
        high: score + 0.018,
        n: 1379,
        seed: 7,
        task: "STS Benchmark test",
      });
    }
    if (step === 0) continue;
    const loss = 0.31 + (chance * 0.55 - 0.31) * Math.exp(-5 * t) + 0.13 * Math.abs(gauss(next)) * (1.2 - t);
    out.push({
      kind: "step",
      step,
      epoch: (step * 32) / 5749,
      loss,
      learningRate: 2e-5 * (t < 0.1 ? t / 0.1 : (1 - t) / 0.9),
      gradNorm: 2.4 * Math.exp(-2 * t) + 0.5 * Math.abs(gauss(next)) + 0.3,
      elapsedMs: step * 470,
    });
  }
  return out;
}

export function runView(overrides: Partial<RunView> = {}): RunView {
  return {
    version: 1,
    folder: "/home/ada/notebooks/runs/20260301-lively-otter",
    name: "lively-otter",
    chanceLoss: Math.log(32),
    base: { metric: "cosine_spearman", score: 0.8203, low: 0.7986, high: 0.8397, n: 1379, seed: 7 },
    steps: 400,
    snapshot: runMetrics(400),
    state: "done",
    ...overrides,
  };
}

export function runSummary(
  name: string,
  overrides: {
    state?: RunSummary["status"]["state"];
    step?: number;
    alive?: boolean;
    createdAt?: string;
    error?: RunSummary["status"]["error"];
    steps?: number;
  } = {},
): RunSummary {
  const steps = overrides.steps ?? 400;
  const config: RunConfig = {
    ...RUN_DEFAULTS,
    version: 2,
    id: `20260301-${name}`,
    name,
    kind: "fine-tune",
    createdAt: overrides.createdAt ?? "2026-03-01T10:00:00.000Z",
    parallaxVersion: "0.1.0",
    encoder: {
      reference: "default",
      name: ENCODER.name,
      weightsSha256: ENCODER.weightsSha256,
      spec: { pooling: "mean", normalise: true, maxTokens: 256, prompts: {} },
    },
    data: {
      file: "data/pairs.jsonl",
      n: 1406,
      sha256: "9f3c41aa",
      source: "STS Benchmark train, pairs scored 4 or more",
      negatives: 0,
    },
    batchSize: 32,
    steps,
    learningRate: 2e-5,
    warmupRatio: 0.1,
    schedule: "linear",
    weightDecay: 0.01,
    clipNorm: 1,
    maxTokens: 64,
    freezeWordEmbeddings: true,
    seed: 7,
    checkpointEvery: 100,
    evaluation: { files: ["data/task.json"], every: 100, patience: null },
    provider: "cpu",
    threads: 2,
  };
  const state = overrides.state ?? "done";
  const step = overrides.step ?? steps;
  const live = state === "running" || state === "starting";
  return {
    folder: `/home/ada/notebooks/runs/20260301-${name}`,
    config,
    status: {
      version: 1,
      state,
      pid: live ? 4242 : null,
      step,
      steps,
      startedAt: "2026-03-01T10:00:02.000Z",
      updatedAt: "2026-03-01T10:03:08.000Z",
      rate: live ? 2.1 : null,
      etaMs: live ? ((steps - step) / 2.1) * 1000 : null,
      lastCheckpoint: step >= 100 ? Math.floor(step / 100) * 100 : null,
      memoryBytes: live ? 1.9 * 2 ** 30 : null,
      error: overrides.error ?? null,
    },
    alive: overrides.alive ?? live,
  };
}

export function taskResult(overrides: Partial<TaskResult> = {}): TaskResult {
  return {
    version: 1,
    task: "STS Benchmark test",
    taskType: "sts",
    metric: "cosine_spearman",
    score: 0.8203,
    n: 1379,
    unit: "pairs",
    seed: 7,
    interval: {
      low: 0.7991,
      high: 0.8392,
      level: 0.95,
      method: "Percentile bootstrap over 1,379 pairs, 10,000 resamples, seed 7",
    },
    more: { cosine_pearson: 0.8274 },
    encoder: ENCODER,
    prompts: {},
    report: report(),
    elapsedMs: 7210,
    ...overrides,
  };
}

export function promptReport(): PromptReport {
  const scores: [string, string, number, number, number, boolean, number][] = [
    ["none", "{text}", 0.6121, 0, 0, false, 1],
    ["query:", "query: {text}", 0.6554, 0.022, 0.064, true, 0.0006],
    [
      "instruct",
      "Instruct: Given a claim, retrieve documents that support or refute it\nQuery: {text}",
      0.6611,
      0.026,
      0.071,
      true,
      0.0003,
    ],
    ["polite", "Please find a passage about: {text}", 0.6148, -0.014, 0.019, false, 0.71],
    ["wrong task", "Classify the sentiment of: {text}", 0.5702, -0.063, -0.021, true, 0.0021],
  ];
  const base = scores[0]![2];
  return {
    version: 1,
    task: "SciFact",
    taskType: "retrieval",
    metric: "ndcg_at_10",
    n: 300,
    unit: "queries",
    seed: 7,
    encoder: ENCODER,
    baseline: "none",
    scores: scores.map(
      ([name, template, score, low, high, clear, p]): PromptScore => ({
        name,
        template: { query: template, document: "{text}" },
        score,
        interval: {
          low: score - 0.046,
          high: score + 0.044,
          level: 0.95,
          method: "percentile bootstrap over 300 queries, 10,000 resamples, seed 7",
        },
        delta: score - base,
        deltaInterval: { low, high, level: 0.95, method: "paired percentile bootstrap" },
        p,
        pHolm: Math.min(1, p * 2),
        clear,
        report: report(name === "instruct" ? ["31 of 300 queries pass 256 tokens with this prompt and were cut."] : []),
      }),
    ),
    best: "instruct",
    worst: "wrong task",
    gap: 0.0909,
    gapInterval: {
      low: 0.062,
      high: 0.121,
      level: 0.95,
      method: "paired percentile bootstrap over 300 queries, 10,000 resamples, seed 7",
    },
    gapByChance: 0.031,
    moved: [
      {
        row: 17,
        text: "Vitamin D deficiency is unrelated to birth weight.",
        prompt: "instruct",
        cosine: 0.412,
        gain: 0.62,
        change: "rank 9 → 1",
      },
      {
        row: 203,
        text: "Taxation of sugar-sweetened beverages had no effect on the incidence rate of type II diabetes in India.",
        prompt: "instruct",
        cosine: 0.533,
        gain: 0.5,
        change: "rank 4 → 1",
      },
      {
        row: 88,
        text: "The risk of male prisoners harming themselves is ten times that of female prisoners.",
        prompt: "wrong task",
        cosine: 0.271,
        gain: -0.69,
        change: "rank 1 → 9",
      },
      {
        row: 141,
        text: "Macropinocytosis contributes to a cell's supply of amino acids via the intracellular uptake of protein.",
        prompt: "wrong task",
        cosine: 0.303,
        gain: -0.5,
        change: "rank 1 → 3",
      },
      {
        row: 12,
        text: "Aspirin inhibits the production of PGE2.",
        prompt: "query:",
        cosine: 0.71,
        gain: 0.37,
        change: "rank 3 → 1",
      },
    ],
    elapsedMs: 48_300,
  };
}

export function tableView(rows: number): TableView {
  const next = random(3);
  const topics = Object.keys(SUBJECTS);
  return {
    version: 1,
    title: "queries",
    columns: [
      { name: "id", kind: "text" },
      { name: "text", kind: "text" },
      { name: "topic", kind: "text" },
      { name: "tokens", kind: "number", decimals: 0 },
      { name: "cosine", kind: "number", decimals: 4 },
      { name: "loss", kind: "number", decimals: 3, unit: "nats" },
      { name: "kept", kind: "boolean" },
    ],
    rows: Array.from({ length: rows }, (_, i) => {
      const topic = topics[Math.floor(next() * topics.length)]!;
      const [who, what] = SUBJECTS[topic]!;
      return [
        `q${i + 1}`,
        `${who[Math.floor(next() * 4)]} ${what[Math.floor(next() * 4)]}`,
        topic,
        4 + Math.floor(next() * 180),
        i === 5 ? null : next() * 2 - 1,
        Math.exp(3 * gauss(next) * 0.4),
        next() > 0.2,
      ];
    }),
    total: 12_408,
    notes: ["First 500 of 12,408 rows; cosine to the centroid of the topic, seed 7."],
  };
}

const value: ValuePreview = {
  version: 1,
  name: "vectors",
  type: "Float32 [200, 384]",
  bytes: 307_200,
  preview: "[[ 0.0213, −0.0481,  0.0120, …,  0.0044],\n [−0.0332,  0.0107,  0.0518, …, −0.0271],\n …]",
  cut: true,
};

const plotly = {
  data: [
    {
      type: "scatter",
      mode: "lines",
      name: "raw",
      x: [1, 2, 3, 4, 5, 6],
      y: [3.4, 2.9, 2.1, 1.6, 1.5, 1.2],
      opacity: 0.25,
      showlegend: false,
      line: { color: "#0D5BD2", width: 2 },
    },
    {
      type: "scatter",
      mode: "lines+markers",
      name: "all-MiniLM-L6-v2",
      x: [1, 2, 3, 4, 5, 6],
      y: [3.3, 2.8, 2.2, 1.7, 1.5, 1.3],
      line: { color: "#0D5BD2", width: 2 },
      marker: { color: "#0D5BD2", symbol: "circle" },
    },
    {
      type: "scatter",
      mode: "lines+markers",
      name: "static",
      x: [1, 2, 3, 4, 5, 6],
      y: [3.4, 3.1, 2.9, 2.6, 2.5, 2.4],
      line: { color: "#DA7C36", width: 2, dash: "6px,3px" },
      marker: { color: "#DA7C36", symbol: "triangle-up" },
    },
  ],
  layout: {
    title: { text: "Loss by epoch", font: { size: 14 }, x: 0, xref: "paper" },
    height: 320,
    xaxis: { title: { text: "epoch" }, gridcolor: "#E4E7EC" },
    yaxis: { title: { text: "loss (nats)" }, gridcolor: "#E4E7EC" },
    shapes: [
      {
        type: "line",
        xref: "paper",
        yref: "y",
        x0: 0,
        x1: 1,
        y0: 3.47,
        y1: 3.47,
        line: { color: "#565D6B", width: 1, dash: "4,4" },
      },
    ],
    legend: { orientation: "h", y: 1.02, yanchor: "bottom", x: 1, xanchor: "right" },
  },
};

const heat = {
  data: [
    {
      type: "heatmap",
      name: "cosine",
      x: ["passport", "train", "stew", "basil", "pulsar"],
      y: ["passport", "train", "stew", "basil", "pulsar"],
      z: [
        [1, 0.41, 0.08, 0.05, 0.11],
        [0.41, 1, 0.12, 0.03, 0.14],
        [0.08, 0.12, 1, 0.52, 0.02],
        [0.05, 0.03, 0.52, 1, null],
        [0.11, 0.14, 0.02, -0.04, 1],
      ],
      colorscale: [
        [0, "#00224E"],
        [0.5, "#666970"],
        [1, "#FEE838"],
      ],
    },
  ],
  layout: { title: { text: "Cosine similarity" }, height: 340 },
};

/** More points than SVG likes: drawn by WebGL, which must work under the page's policy. */
function cloud() {
  const next = random(5);
  const trace = (name: string, color: string, dx: number) => ({
    type: "scattergl",
    mode: "markers",
    name,
    x: Array.from({ length: 2500 }, () => dx + gauss(next)),
    y: Array.from({ length: 2500 }, () => gauss(next)),
    marker: { color, size: 4 },
  });
  return {
    data: [trace("a", "#0D5BD2", 0), trace("b", "#DA7C36", 3)],
    layout: { title: { text: "5,000 points" }, height: 320 },
  };
}

const cellError: Output = {
  output_type: "error",
  ename: "ParallaxError",
  evalue: "similarity: a is [200, 384], b is [500, 768].",
  traceback: [],
  parallax: {
    name: "ParallaxError",
    error: {
      code: "tensor.shape-mismatch",
      kind: "user",
      message: "similarity: a is [200, 384], b is [500, 768].",
      hint: "Were they made by two encoders? Encode both with the same one.",
      details: { a: [200, 384], b: [500, 768] },
      stack: ["    at similarity (kernels/api/similarity.ts:41:11)"],
    },
    frames: [
      { cellId: "c5", executionCount: 5, line: 2, column: 15, functionName: "compare" },
      { cellId: "c6", executionCount: 6, line: 1, column: 1 },
    ],
    libraryFrames: [
      "    at similarity (kernels/api/similarity.ts:41:11)",
      "    at checkShapes (kernels/graph/tensor.ts:88:9)",
    ],
  },
};

const foreignError: Output = {
  output_type: "error",
  ename: "ZeroDivisionError",
  evalue: "division by zero",
  traceback: [
    "\u001b[0;31m---------------------------------------------------------------------------\u001b[0m",
    "\u001b[0;31mZeroDivisionError\u001b[0m                         Traceback (most recent call last)",
    "Cell \u001b[0;32mIn[1], line 1\u001b[0m\n\u001b[0;32m----> 1\u001b[0m \u001b[38;5;241;43m1\u001b[39;49m\u001b[38;5;241;43m/\u001b[39;49m\u001b[38;5;241;43m0\u001b[39;49m",
    "\u001b[0;31mZeroDivisionError\u001b[0m: division by zero",
  ],
};

const PIXEL =
  "iVBORw0KGgoAAAANSUhEUgAAAAoAAAAKCAIAAAACUFjqAAAAFUlEQVR4nGNkYPhfz4AHMOGTHMHSACuOAROZ4sJLAAAAAElFTkSuQmCC";
const SVG = `<svg xmlns="http://www.w3.org/2000/svg" width="320" height="120"><rect width="320" height="120" fill="#fff"/><circle cx="60" cy="60" r="40" fill="#0D5BD2"/><text x="120" y="66" font-family="sans-serif" font-size="16">An SVG from a cell</text></svg>`;

/** What must never run: each tries to mark the page. */
const ATTACK = "parent.document.title='hacked';top.hacked=true;window.hacked=true";
const HOSTILE_HTML = `<h3>Report</h3><table><tr><th>a</th><th>b</th></tr><tr><td>1</td><td>2</td></tr></table><img src=x onerror="${ATTACK}"><script>${ATTACK}</script><a href="javascript:${ATTACK}">click</a> <a href="https://example.invalid/">out</a><iframe srcdoc="<script>${ATTACK}</script>"></iframe><meta http-equiv="refresh" content="0;url=https://example.invalid/"><form action="https://example.invalid/"><button>send</button></form></table></div></body></html><style>body{background:url(https://example.invalid/x.png)}</style>`;
const HOSTILE_SVG = `<svg xmlns="http://www.w3.org/2000/svg" width="200" height="40" onload="${ATTACK}"><script>${ATTACK}</script><foreignObject><iframe xmlns="http://www.w3.org/1999/xhtml" src="javascript:${ATTACK}"/></foreignObject><text y="20">svg</text></svg>`;
const HOSTILE_MARKDOWN = `# Title\n\n<script>${ATTACK}</script><img src=x onerror="${ATTACK}">\n\n[link](javascript:${ATTACK}) ![spy](https://example.invalid/a.png)\n\n| a | b |\n|---|---|\n| 1 | 2 |`;

export interface Section {
  name: string;
  title: string;
  /** Made when asked for: the large ones take a while. */
  outputs: () => Output[];
  dimmedFrom?: number;
}

export function sections(): Section[] {
  return [
    {
      name: "text",
      title: "Printed text, value, error stream",
      outputs: () => [
        {
          output_type: "stream",
          name: "stdout",
          text: "loading encoder\nencoding \u001b[32m200\u001b[0m texts \u001b[1mdone\u001b[0m\n 10%\r 50%\r100%\n\u001b[33mwarning\u001b[0m \u001b[31merror\u001b[0m \u001b[34mblue\u001b[0m \u001b[35mmagenta\u001b[0m \u001b[36mcyan\u001b[0m\n",
        },
        { output_type: "stream", name: "stderr", text: "(node) ExperimentalWarning: something is experimental\n" },
        result({ [MIME.value]: value, [MIME.plain]: value.preview }),
      ],
    },
    {
      name: "long",
      title: "A hundred thousand lines",
      outputs: () => [
        {
          output_type: "stream",
          name: "stdout",
          text: Array.from(
            { length: 100_000 },
            (_, i) => `step ${i + 1}: loss ${(3.4 * Math.exp(-i / 30_000)).toFixed(4)}`,
          ).join("\n"),
        },
      ],
    },
    { name: "errors", title: "Errors", outputs: () => [cellError, foreignError] },
    { name: "table", title: "Table", outputs: () => [result({ [MIME.table]: tableView(500), [MIME.plain]: "table" })] },
    {
      name: "plot",
      title: "Plotly",
      outputs: () => [
        display({ [MIME.plotly]: plotly, [MIME.plain]: "Loss by epoch" }),
        display({ [MIME.plotly]: heat }),
        display({ [MIME.plotly]: cloud() }),
      ],
    },
    { name: "map", title: "Map", outputs: () => [result({ [MIME.map]: mapView(600), [MIME.plain]: "map" })] },
    { name: "bigmap", title: "Map of 20,000", outputs: () => [result({ [MIME.map]: mapView(20_000) })] },
    { name: "run", title: "Run from its snapshot", outputs: () => [display({ [MIME.run]: runView() })] },
    {
      name: "live",
      title: "Run, live",
      outputs: () => [
        display({
          [MIME.run]: runView({
            folder: "/home/ada/notebooks/runs/20260301-calm-heron",
            name: "calm-heron",
            state: "running",
            snapshot: [],
          }),
        }),
      ],
    },
    {
      name: "prompts",
      title: "Prompts",
      outputs: () => [result({ [MIME.prompts]: promptReport(), [MIME.plain]: "prompts" })],
    },
    {
      name: "task",
      title: "Task results",
      outputs: () => [
        result({ [MIME.task]: taskResult() }),
        result({
          [MIME.task]: taskResult({
            task: "KorSTS test",
            score: 0.3127,
            interval: {
              low: 0.262,
              high: 0.36,
              level: 0.95,
              method: "Percentile bootstrap over 1,379 pairs, 10,000 resamples, seed 7",
            },
            prompts: { text: "Represent the sentence for similarity: {text}" },
            report: report([
              "38 % of the word pieces are unknown to this encoder; most letters are Hangul. The score says little about the texts.",
            ]),
          }),
        }),
      ],
    },
    {
      name: "documents",
      title: "HTML, Markdown, pictures",
      outputs: () => [
        display({
          [MIME.html]:
            "<table><thead><tr><th>model</th><th>STS-B</th></tr></thead><tbody><tr><td>all-MiniLM-L6-v2</td><td>82.03</td></tr><tr><td>static</td><td>50.90</td></tr></tbody></table>",
          [MIME.plain]: "a table",
        }),
        display({
          [MIME.markdown]:
            "### Markdown\n\nSome *prose* with `code`, a [link](https://example.org) and a list:\n\n- one\n- two\n",
        }),
        display({ [MIME.svg]: SVG, [MIME.plain]: "An SVG" }),
        display({ [MIME.png]: PIXEL, [MIME.plain]: "<Figure size 640x480 with 1 Axes>" }),
        display({ "application/json": { answer: 42, list: [1, 2, 3] } }),
      ],
    },
    {
      name: "hostile",
      title: "Hostile and broken",
      outputs: () => [
        display({ [MIME.html]: HOSTILE_HTML }),
        display({ [MIME.svg]: HOSTILE_SVG }),
        display({ [MIME.markdown]: HOSTILE_MARKDOWN }),
        display({ [MIME.table]: { version: 1, columns: "no" }, [MIME.plain]: "the table as text" }),
        display({ [MIME.map]: { ...mapView(20), points: "AAAA" }, [MIME.plain]: "the map as text" }),
        display({ [MIME.map]: { ...mapView(20), points: "%%%" } }),
        display({ [MIME.map]: { version: 1, n: 4 } }),
        display({ [MIME.task]: { version: 1, task: "t" }, [MIME.plain]: "score 0.5" }),
        display({ [MIME.task]: { ...taskResult(), score: null, interval: { low: null, high: null } } }),
        display({ [MIME.prompts]: "{broken json" }),
        display({
          [MIME.prompts]: {
            ...promptReport(),
            gap: null,
            scores: promptReport().scores.map((s) => ({ ...s, delta: null, deltaInterval: { low: null, high: null } })),
          },
        }),
        display({
          [MIME.run]: { ...runView(), base: undefined, snapshot: [null, 3, { kind: "step" }], chanceLoss: null },
        }),
        display({ [MIME.plotly]: { data: [{ type: "nonsense", x: "y" }, null] } }),
        display({ [MIME.plotly]: { data: [], layout: null } }),
        display({ [MIME.png]: "not base64 !" }),
        display({}),
        { output_type: "display_data", data: null, metadata: null } as unknown as Output,
        { output_type: "stream", name: "stdout", text: null } as unknown as Output,
        {
          output_type: "error",
          ename: 3,
          evalue: null,
          traceback: "no list",
          parallax: { error: 1 },
        } as unknown as Output,
        { output_type: "novelty", data: 1 } as unknown as Output,
        display({ [MIME.value]: { version: 1, type: "string", preview: "x".repeat(1_000_000), cut: false } }),
        display({
          [MIME.table]: {
            version: 1,
            columns: [{ name: "a", kind: "number" }],
            rows: [[null], ["NaN"], [1e300], [-0]],
            total: 4,
            notes: [],
          },
        }),
        display({ "application/x-unknown": "?" }),
      ],
    },
    {
      name: "dimmed",
      title: "Kept from an earlier run",
      dimmedFrom: 2,
      outputs: () => [
        result({ [MIME.value]: value }),
        { output_type: "stream", name: "stdout", text: "earlier text\n" },
      ],
    },
  ];
}
