/** Where each node of a model really ran, read from ONNX Runtime's profile of a run. */
import { providerName } from "./providers.ts";

/** What one provider did of a run. */
export interface NodePlacement {
  /** "cpu", "webgpu", … */
  provider: string;
  nodes: number;
  /** Nodes of each operator, most first. */
  ops: Record<string, number>;
  /** Names of the nodes, as the (optimised) graph has them. */
  names: string[];
  /** Time in its kernels, ms. A graphics provider's time is that of handing over the work. */
  ms: number;
  /** Share of the time in all kernels, 0 to 1. */
  share: number;
}

interface ProfileEvent {
  cat?: string;
  name?: string;
  ts?: number;
  dur?: number;
  args?: { provider?: string; op_name?: string };
}

/**
 * The placement of the last run in a profile.
 *
 * @param text JSON that ONNX Runtime wrote: an array of events in Chrome's trace format, times in µs
 * @returns    one entry a provider, most nodes first; empty when no node was recorded or the text is no profile
 */
export function readPlacement(text: string): NodePlacement[] {
  const events = parseEvents(text);
  const runs = events.filter((event) => event.name === "model_run").map((event) => event.ts ?? 0);
  const since = runs.length === 0 ? 0 : Math.max(...runs);
  const found = new Map<string, NodePlacement>();
  let total = 0;
  for (const { cat, name = "", ts = 0, dur = 0, args } of events) {
    if (cat !== "Node" || args?.provider === undefined || !name.endsWith("_kernel_time") || ts < since) continue;
    const provider = providerName(args.provider);
    const op = args.op_name ?? "unknown";
    let entry = found.get(provider);
    if (entry === undefined) {
      entry = { provider, nodes: 0, ops: {}, names: [], ms: 0, share: 0 };
      found.set(provider, entry);
    }
    entry.nodes++;
    entry.ops[op] = (entry.ops[op] ?? 0) + 1;
    entry.names.push(name.slice(0, -"_kernel_time".length));
    entry.ms += dur / 1000;
    total += dur / 1000;
  }
  return [...found.values()]
    .map((entry) => ({
      ...entry,
      ops: Object.fromEntries(Object.entries(entry.ops).sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1))),
      share: total === 0 ? 0 : entry.ms / total,
    }))
    .sort((a, b) => b.nodes - a.nodes);
}

/** A profile that was cut off (a full disk) loses its last line only. */
function parseEvents(text: string): ProfileEvent[] {
  const whole = tryParse(text) ?? tryParse(`${text.slice(0, Math.max(0, text.lastIndexOf("},\n") + 1))}]`);
  return Array.isArray(whole) ? (whole as ProfileEvent[]) : [];
}

function tryParse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** "6 of 129 nodes run on the CPU (Concat 2, Shape 2, Cast 1, Reshape 1; 0.1 % of the time)"; undefined when none does. */
export function describeFallback(placement: readonly NodePlacement[], provider: string): string | undefined {
  const elsewhere = placement.filter((entry) => entry.provider !== provider);
  if (elsewhere.length === 0) return undefined;
  const all = placement.reduce((sum, { nodes }) => sum + nodes, 0);
  const parts = elsewhere.map(({ provider: other, nodes, ops, share }) => {
    const list = Object.entries(ops).map(([op, n]) => `${op} ${n}`);
    const shown = list.length > 8 ? [...list.slice(0, 8), "…"] : list;
    return `${nodes} of ${all} nodes run on ${other === "cpu" ? "the CPU" : other} (${shown.join(", ")}; ${percent(share)} of the time)`;
  });
  return parts.join(", ");
}

function percent(share: number): string {
  const value = 100 * share;
  return value > 0 && value < 0.1 ? "under 0.1 %" : `${value.toFixed(1)} %`;
}
