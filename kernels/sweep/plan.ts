/** The trials of a sweep: which settings, in which order, under which names. All of it follows from what was asked. */
import { createHash } from "node:crypto";
import { Random } from "../evaluate/random.ts";
import { ParallaxError } from "../protocol/errors.ts";

/** Values that a random search draws from; `log` draws evenly in the logarithm, as rates want. */
export interface SweepRange {
  from: number;
  to: number;
  log?: boolean | undefined;
  /** Whole numbers only. */
  whole?: boolean | undefined;
}

export interface SweepPlan {
  /** Every combination, or draws from them. */
  search: "grid" | "random";
  /** What is tried for each option: a list, or (random only) a range. */
  over: Readonly<Record<string, readonly unknown[] | SweepRange>>;
  /** Random: how many trials. Grid: at most so many, else it is refused. */
  trials?: number | undefined;
  /** Of the draws. */
  seed: number;
}

export interface Trial {
  /** A folder's name that says the settings; the same settings have the same name in every sweep. */
  name: string;
  settings: Readonly<Record<string, unknown>>;
}

/** More trials than this are asked for by mistake. */
const MOST_TRIALS = 200;
const DEFAULT_RANDOM_TRIALS = 8;

/**
 * The trials in the order in which they run. A grid varies the last option fastest.
 * @throws {ParallaxError} sweep.bad-option
 */
export function sweepTrials({ search, over, trials, seed }: SweepPlan): Trial[] {
  const axes = Object.entries(over).filter(([, values]) => values !== undefined);
  if (axes.length === 0)
    throw bad("over", "names no option", "Name at least one: over: { learningRate: [1e-5, 2e-5] }.");
  if (trials !== undefined && (!Number.isSafeInteger(trials) || trials < 1))
    throw bad("trials", `is ${trials}, not a whole number from 1`, "Leave it out for the default.");
  for (const [name, values] of axes) checkAxis(name, values, search);
  const found = search === "grid" ? grid(axes as [string, readonly unknown[]][]) : draws(axes, trials, seed);
  const most = Math.min(MOST_TRIALS, search === "grid" ? (trials ?? MOST_TRIALS) : MOST_TRIALS);
  if (found.length > most)
    throw bad(
      "over",
      `makes ${found.length} trials; at most ${most} are run`,
      'Use fewer values, or search: "random".',
    );
  const byName = new Map(found.map((settings) => [trialName(settings), settings]));
  return [...byName].map(([name, settings]) => ({ name, settings }));
}

/** "learningRate 2e-5, batchSize 32": settings in a few words. */
export function trialWords(settings: Readonly<Record<string, unknown>>): string {
  return Object.entries(settings)
    .map(([name, value]) => `${name} ${valueWords(value)}`)
    .join(", ");
}

function valueWords(value: unknown): string {
  if (typeof value === "number") return value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential() : String(value);
  if (typeof value === "string") return value;
  if (typeof value === "object" && value !== null && typeof (value as { name?: unknown }).name === "string")
    return Object.entries(value)
      .map(([key, part]) => (key === "name" ? String(part) : `${key}=${valueWords(part)}`))
      .join(" ");
  return JSON.stringify(value) ?? "none";
}

/** Words that any file system takes, and enough of a digest to tell settings apart whose words are the same. */
function trialName(settings: Readonly<Record<string, unknown>>): string {
  const words = trialWords(settings)
    .replace(/[^A-Za-z0-9.=+-]+/g, "-")
    .replace(/^[-.]+|[-.]+$/g, "")
    .slice(0, 60);
  const digest = createHash("sha256").update(JSON.stringify(settings)).digest("hex").slice(0, 6);
  return `${words}-${digest}`;
}

function checkAxis(name: string, values: readonly unknown[] | SweepRange, search: "grid" | "random"): void {
  if (Array.isArray(values)) {
    if (values.length === 0) throw bad(`over.${name}`, "is an empty list", "Give it values, or leave it out.");
    return;
  }
  if (search === "grid")
    throw bad(`over.${name}`, "is no list", 'A grid needs a list of values; ranges are for search: "random".');
  const { from, to, log = false } = (values ?? {}) as SweepRange;
  if (!(Number.isFinite(from) && Number.isFinite(to) && from < to) || (log && from <= 0))
    throw bad(`over.${name}`, `is no range: ${JSON.stringify(values)}`, "Use { from: 1e-6, to: 1e-4, log: true }.");
}

function grid(axes: readonly [string, readonly unknown[]][]): Record<string, unknown>[] {
  return axes.reduce<Record<string, unknown>[]>(
    (found, [name, values]) => found.flatMap((settings) => values.map((value) => ({ ...settings, [name]: value }))),
    [{}],
  );
}

/** Bergstra and Bengio 2012: independent draws, here without repeats. */
function draws(
  axes: readonly [string, readonly unknown[] | SweepRange][],
  trials = DEFAULT_RANDOM_TRIALS,
  seed: number,
): Record<string, unknown>[] {
  const random = new Random(seed);
  const found = new Map<string, Record<string, unknown>>();
  // Small lists have fewer combinations than trials; draws that bring nothing new end it.
  for (let i = 0; i < 200 * trials && found.size < trials; i++) {
    const settings = Object.fromEntries(axes.map(([name, values]) => [name, draw(values, random)]));
    found.set(JSON.stringify(settings), settings);
  }
  return [...found.values()];
}

function draw(values: readonly unknown[] | SweepRange, random: Random): unknown {
  if (Array.isArray(values)) return values[random.below(values.length)];
  const { from, to, log = false, whole = false } = values as SweepRange;
  const at = random.float();
  const value = log ? from * (to / from) ** at : from + (to - from) * at;
  // Three digits: nobody means more, and the folder's name stays short.
  return whole ? Math.round(value) : Number(value.toPrecision(3));
}

function bad(option: string, problem: string, hint: string): ParallaxError {
  return new ParallaxError("sweep.bad-option", `${option} ${problem}. Nothing was started.`, {
    hint,
    details: { option },
  });
}
