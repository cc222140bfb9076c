/** A layout as our MIME type, as a figure and in words. */
import type { Figure, PointsMark } from "../figure/figure.ts";
import { slotAt } from "../figure/palette.ts";
import type { MapView } from "../protocol/display.ts";
import type { MapLayout } from "../protocol/results.ts";

const base64 = (array: Float32Array | Int32Array): string =>
  Buffer.from(array.buffer, array.byteOffset, array.byteLength).toString("base64");

export function toMapView(layout: MapLayout): MapView {
  return {
    version: 1,
    n: layout.n,
    dimensions: layout.dimensions,
    points: base64(layout.points),
    texts: layout.texts,
    ...(layout.labels ? { labels: layout.labels, labelName: layout.labelName } : {}),
    neighbours: base64(layout.neighbours),
    similarities: base64(layout.similarities),
    k: layout.k,
    metric: layout.metric,
    method: layout.method,
    minDist: layout.minDist,
    epochs: layout.epochs,
    seed: layout.seed,
    trustworthiness: layout.trustworthiness,
    trustworthinessK: layout.trustworthinessK,
    trustworthinessN: layout.trustworthinessN,
    notes: layout.notes,
    ...(layout.encoder ? { encoderName: layout.encoder.name } : {}),
  };
}

/** The seven largest classes get a colour; the rest is "other". */
export function mapFigure(layout: MapLayout): Figure {
  const classOf = layout.labels ?? layout.texts.map(() => "texts");
  const counts = new Map<string, number>();
  for (const name of classOf) counts.set(name, (counts.get(name) ?? 0) + 1);
  const ranked = [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).map(([name]) => name);
  const shown = ranked.length <= 8 ? ranked : ranked.slice(0, 7);
  const slots = new Map(shown.map((name, i) => [name, slotAt(i)]));
  const groups = new Map<string, number[]>();
  classOf.forEach((name, i) => {
    const key = slots.has(name) ? name : `other (${ranked.length - shown.length})`;
    const rows = groups.get(key);
    if (rows) rows.push(i);
    else groups.set(key, [i]);
  });
  const order = [...shown, ...[...groups.keys()].filter((name) => !slots.has(name))].filter((name) => groups.has(name));
  const marks: PointsMark[] = order.map((name) => {
    const rows = groups.get(name) as number[];
    return {
      kind: "points",
      name,
      slot: slots.get(name) ?? 8,
      opacity: slots.has(name) ? 0.85 : 0.35,
      size: layout.n > 5000 ? 3 : 6,
      x: rows.map((i) => layout.points[2 * i]),
      y: rows.map((i) => layout.points[2 * i + 1]),
      texts: rows.map((i) => clip(layout.texts[i], 120)),
    };
  });
  const how =
    layout.method === "umap"
      ? `UMAP k ${layout.k}, min. distance ${layout.minDist}, ${layout.epochs} epochs, seed ${layout.seed}`
      : "PCA";
  return {
    title: layout.labelName ? `Map of ${layout.n} texts by ${layout.labelName}` : `Map of ${layout.n} texts`,
    x: { label: "map x", bare: true },
    y: { label: "map y", bare: true },
    width: 640,
    height: 480,
    marks,
    notes: [
      `${how}, ${layout.metric} in ${layout.dimensions}-d${layout.encoder ? `, ${layout.encoder.name}` : ""}.`,
      `Trustworthiness ${layout.trustworthiness.toFixed(3)} (k ${layout.trustworthinessK}, n ${layout.trustworthinessN}). 2-D distances between far groups carry no meaning.`,
      ...layout.notes,
    ],
  };
}

export function describeMap(layout: MapLayout): string {
  const groups = layout.labels ? `, ${new Set(layout.labels).size} ${layout.labelName ?? "label"}s` : "";
  return [`Map of ${layout.n} texts${groups}.`, ...(mapFigure(layout).notes ?? [])].join("\n");
}

function clip(text: string, most: number): string {
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
