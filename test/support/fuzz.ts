/** Damaged inputs, seeded: bytes, JSON and protobuf. A reader must answer each with a result or with an error of ours. */
import { Worker } from "node:worker_threads";
import { ParallaxError } from "../../kernels/protocol/errors.ts";

export type Random = (n: number) => number;

/** Whole numbers from 0 up to n, the same for the same seed (mulberry32). */
export function seeded(seed: number): Random {
  let state = seed >>> 0;
  return (n) => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return Math.floor((((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * n);
  };
}

/** One to four changes anywhere: bits, bytes, numbers at the edge, parts cut, doubled, moved or put in. */
export function damageBytes(source: Uint8Array, random: Random): Uint8Array {
  let bytes: Uint8Array = Uint8Array.from(source);
  for (let n = 1 + random(4); n > 0; n--) {
    const at = random(bytes.length + 1);
    const end = Math.min(bytes.length, at + 1 + random(random(4) === 0 ? bytes.length + 1 : 16));
    switch (random(8)) {
      case 0:
        if (at < bytes.length) bytes[at] ^= 1 << random(8);
        break;
      case 1:
        if (at < bytes.length) bytes[at] = random(256);
        break;
      case 2: {
        const edge = [0, 1, 0x7f, 0x80, 0xff][random(5)];
        bytes.fill(edge, at, Math.min(end, at + 10));
        break;
      }
      case 3:
        bytes = bytes.slice(0, at);
        break;
      case 4:
        bytes = joined(bytes.subarray(0, at), bytes.subarray(end));
        break;
      case 5:
        bytes = joined(bytes.subarray(0, end), bytes.subarray(at));
        break;
      case 6:
        bytes = joined(
          bytes.subarray(0, at),
          Uint8Array.from({ length: 1 + random(8) }, () => random(256)),
          bytes.subarray(at),
        );
        break;
      default: {
        const other = random(bytes.length + 1);
        bytes.copyWithin(at, other, Math.min(bytes.length, other + 1 + random(32)));
      }
    }
  }
  return bytes;
}

function joined(...parts: Uint8Array[]): Uint8Array {
  return Uint8Array.from(Buffer.concat(parts));
}

type JsonValue = null | boolean | number | string | JsonValue[] | { [name: string]: JsonValue };

const ODD: (() => JsonValue)[] = [
  () => null,
  () => true,
  () => false,
  () => 0,
  () => -1,
  () => 1.5,
  () => 1e308,
  () => 2 ** 53,
  () => 2 ** 31,
  () => "",
  () => "a",
  () => " ",
  () => "\ud800",
  () => "[A-",
  () => "(a+)",
  () => "\u2581",
  () => "x".repeat(5000),
  () => [],
  () => ({}),
  () => [[]],
  () => ["a", 1],
  () => ({ type: "Nowhere" }),
  () => JSON.parse(`${"[".repeat(200)}${"]".repeat(200)}`) as JsonValue,
];

/** One to three nodes replaced, removed, doubled or swapped; the result is a text, sometimes with a name twice. */
export function damageJson(source: string, random: Random): string {
  const root = { value: JSON.parse(source) as JsonValue };
  for (let n = 1 + random(3); n > 0; n--) {
    let parent: Record<string, JsonValue> | JsonValue[] = root;
    let key: string | number = "value";
    // Down from the root, so that the few parts near it are hit as often as thousands of pieces.
    for (let depth = random(7); depth > 0; depth--) {
      const node = (parent as Record<string, JsonValue>)[key];
      if (typeof node !== "object" || node === null) break;
      const names: string[] = Object.keys(node);
      if (names.length === 0) break;
      parent = node as typeof parent;
      key = names[random(names.length)];
    }
    const holder = parent as Record<string, JsonValue>;
    const node = holder[key];
    switch (random(6)) {
      case 0:
        if (Array.isArray(parent)) parent.splice(Number(key), 1);
        else if (parent !== root) delete holder[key];
        break;
      case 1:
        if (Array.isArray(parent)) parent.push(node);
        else holder[`${key}_`] = node;
        break;
      case 2:
        holder[key] = [node];
        break;
      case 3:
        if (typeof node === "number") holder[key] = node + [1, -1, 0.5, 1000][random(4)];
        else if (typeof node === "string")
          holder[key] = node.slice(0, random(node.length + 1)) + (random(2) ? "" : "\u0301");
        else if (typeof node === "boolean") holder[key] = !node;
        else holder[key] = null;
        break;
      default:
        holder[key] = ODD[random(ODD.length)]();
    }
  }
  const text = JSON.stringify(root.value) ?? "";
  if (random(12) > 0) return text;
  // A name twice: JSON.parse would keep the second without a word.
  const names = [...text.matchAll(/"[^"\\]*":/g)];
  if (names.length === 0) return text;
  const { 0: name, index } = names[random(names.length)];
  return `${text.slice(0, index)}${name}1,${text.slice(index)}`;
}

/** One to three fields of a protobuf message, at any depth, dropped, doubled, renumbered, emptied or given odd lengths. */
export function damageProtobuf(source: Uint8Array, random: Random): Uint8Array {
  let bytes = source;
  for (let n = 1 + random(3); n > 0; n--) bytes = damageField(bytes, random, 0) ?? damageBytes(bytes, random);
  return bytes;
}

interface Part {
  from: number;
  key: number;
  body: number;
  to: number;
}

function damageField(bytes: Uint8Array, random: Random, depth: number): Uint8Array | undefined {
  const parts = split(bytes);
  if (parts === undefined || parts.length === 0) return undefined;
  // Messages hold many pieces or weights and few other fields: half the time, one of the kinds is chosen first.
  const kinds = [...new Set(parts.map(({ key }) => key))];
  const kind = kinds[random(kinds.length)];
  const some = random(2) === 0 ? parts : parts.filter(({ key }) => key === kind);
  const { from, key, body, to } = some[random(some.length)];
  const before = bytes.subarray(0, from);
  const after = bytes.subarray(to);
  const whole = bytes.subarray(from, to);
  const isMessage = (key & 7) === 2 && to > body;
  if (isMessage && depth < 6 && random(3) > 0) {
    const inner = damageField(bytes.subarray(body, to), random, depth + 1);
    if (inner !== undefined) return joined(before, varint(BigInt(key)), varint(BigInt(inner.length)), inner, after);
  }
  switch (random(7)) {
    case 0:
      return joined(before, after);
    case 1:
      return joined(before, whole, whole, after);
    case 2:
      return joined(
        before,
        varint(BigInt(key ^ (1 << random(6)))),
        bytes.subarray(from + varint(BigInt(key)).length, to),
        after,
      );
    case 3:
      return isMessage ? joined(before, varint(BigInt(key)), varint(0n), after) : joined(before, after, whole);
    case 4: {
      const length = [0n, 1n, 127n, 2n ** 31n, 2n ** 32n, 2n ** 63n, 2n ** 64n - 1n][random(7)];
      return joined(before, varint(BigInt(key)), varint(length), bytes.subarray(body, to), after);
    }
    case 5:
      return joined(before, varint(BigInt(key)), damageBytes(bytes.subarray(from + 1, to), random), after);
    default:
      return joined(after, whole, before);
  }
}

/** The fields of a message, or undefined when these bytes are none. */
function split(bytes: Uint8Array): Part[] | undefined {
  const parts: Part[] = [];
  for (let at = 0; at < bytes.length; ) {
    const from = at;
    const read = (): number => {
      let value = 0;
      for (let i = 0; i < 5; i++) {
        const byte = bytes[at++];
        if (byte === undefined) return -1;
        value += (byte & 127) * 2 ** (7 * i);
        if (byte < 128) return value;
      }
      while (at < bytes.length && bytes[at - 1] >= 128) at++;
      return 0;
    };
    const key = read();
    if (key < 8 || key > 8 * 2000) return undefined;
    let body = at;
    if ((key & 7) === 0) read();
    else if ((key & 7) === 1) at += 8;
    else if ((key & 7) === 5) at += 4;
    else if ((key & 7) === 2) {
      const length = read();
      body = at;
      if (length < 0) return undefined;
      at += length;
    } else return undefined;
    if (at > bytes.length) return undefined;
    parts.push({ from, key, body, to: at });
  }
  return parts;
}

function varint(value: bigint): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  do {
    bytes.push(Number(rest & 127n) | (rest > 127n ? 128 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Uint8Array.from(bytes);
}

export interface FuzzReport {
  runs: number;
  read: number;
  refused: number;
  /** Errors by code. */
  codes: Record<string, number>;
  /** Crashes and cases over the time limit, with the seed that makes them again. */
  failures: { seed: number; problem: string }[];
  slowestMs: number;
  /** Growth of the process while it ran. */
  grownBytes: number;
}

/**
 * Run a reader on damaged inputs.
 * @param run makes the input of a seed and reads it. Anything it throws that is no ParallaxError is a failure.
 */
export function fuzz(
  runs: number,
  run: (random: Random) => void,
  options: { firstSeed?: number; limitMs?: number } = {},
): FuzzReport {
  const { firstSeed = 1, limitMs = 5000 } = options;
  const report: FuzzReport = { runs, read: 0, refused: 0, codes: {}, failures: [], slowestMs: 0, grownBytes: 0 };
  const before = process.memoryUsage().rss;
  const watch = watchdog();
  for (let seed = firstSeed; seed < firstSeed + runs; seed++) {
    const started = process.cpuUsage();
    watch.begin(seed);
    try {
      run(seeded(seed));
      report.read++;
    } catch (error) {
      report.refused++;
      if (error instanceof ParallaxError && error.kind !== "bug")
        report.codes[error.code] = (report.codes[error.code] ?? 0) + 1;
      else report.failures.push({ seed, problem: String((error as Error)?.stack ?? error).slice(0, 600) });
    }
    const { user, system } = process.cpuUsage(started);
    const ms = (user + system) / 1000;
    report.slowestMs = Math.max(report.slowestMs, ms);
    if (ms > limitMs) report.failures.push({ seed, problem: `took ${Math.round(ms)} ms` });
    if (report.failures.length >= 5) break;
  }
  watch.end();
  report.grownBytes = process.memoryUsage().rss - before;
  return report;
}

/** A case that does not come back blocks its own thread: another one names its seed and ends the process. */
const HANG_MS = 60_000;

function watchdog(): { begin(seed: number): void; end(): void } {
  const cell = new SharedArrayBuffer(16);
  const view = new Float64Array(cell);
  view[1] = Date.now();
  const worker = new Worker(
    `const { workerData } = require("node:worker_threads");
    const view = new Float64Array(workerData.cell);
    setInterval(() => {
      if (Date.now() - view[1] < workerData.limit) return;
      require("node:fs").writeSync(2, "fuzz: seed " + view[0] + " does not come back\\n");
      process.kill(process.pid, "SIGKILL");
    }, 1000);`,
    { eval: true, workerData: { cell, limit: HANG_MS } },
  );
  worker.unref();
  return {
    begin: (seed) => {
      view[0] = seed;
      view[1] = Date.now();
    },
    end: () => void worker.terminate(),
  };
}
