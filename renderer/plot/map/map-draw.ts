/** Drawing of a map, pure: data, view and selection in, marks out. Canvas draws sprites, SVG draws shapes. */
import { CanvasPen, type Pen } from "../pen.ts";
import { MARKERS, type PlotTheme, slotColour } from "../theme.ts";
import type { MapData } from "./map-data.ts";

export interface MapCamera {
  /** Data coordinates in the middle, and pixels per data unit. */
  x: number;
  y: number;
  scale: number;
}
export interface MapMarks {
  /** 1 for selected rows; null when nothing is selected. */
  selected: Uint8Array | null;
  /** 1 for rows that are shown; null for all. */
  shown: Uint8Array | null;
  focus: number | null;
  hover: number | null;
  /** Rows joined to the focus by thin lines. */
  linked: readonly number[];
}

export const NO_MARKS: MapMarks = { selected: null, shown: null, focus: null, hover: null, linked: [] };

export function fitCamera(data: MapData, width: number, height: number, rows?: Iterable<number>): MapCamera {
  let [left, top, right, bottom] = data.bounds;
  if (rows) {
    [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
    for (const i of rows) {
      const [x, y] = [data.points[2 * i]!, data.points[2 * i + 1]!];
      if (!Number.isFinite(x) || !Number.isFinite(y)) continue;
      [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
    }
    if (left > right) [left, top, right, bottom] = data.bounds;
  }
  const pad = 36;
  const spanX = Math.max(right - left, 1e-9);
  const spanY = Math.max(bottom - top, 1e-9);
  const scale = Math.min((width - 2 * pad) / spanX, (height - 2 * pad) / spanY);
  return { x: (left + right) / 2, y: (top + bottom) / 2, scale: Math.max(scale, 1e-9) };
}

export function pointRadius(n: number, zoom: number): number {
  const base = n <= 400 ? 4.5 : n <= 2500 ? 3.4 : n <= 12_000 ? 2.5 : 1.9;
  return base * Math.min(1.8, Math.max(0.9, zoom ** 0.35));
}

/** Upwards is larger y, as in every plot of this kind. */
export function project(camera: MapCamera, width: number, height: number, x: number, y: number): [number, number] {
  return [width / 2 + (x - camera.x) * camera.scale, height / 2 - (y - camera.y) * camera.scale];
}

export function drawMap(
  pen: Pen,
  width: number,
  height: number,
  data: MapData,
  camera: MapCamera,
  marks: MapMarks,
  theme: PlotTheme,
): void {
  pen.rect(0, 0, width, height, { fill: theme.bg });
  const zoom = camera.scale / fitCamera(data, width, height).scale;
  const radius = pointRadius(data.n, zoom);
  const stamp = pen instanceof CanvasPen ? spriteStamp(pen, data, theme, radius) : penStamp(pen, data, theme, radius);
  const visible = (i: number) => marks.shown === null || marks.shown[i] === 1;
  const place = (i: number): [number, number] | null => {
    const [x, y] = [data.points[2 * i]!, data.points[2 * i + 1]!];
    if (!Number.isFinite(x) || !Number.isFinite(y)) return null;
    const [px, py] = project(camera, width, height, x, y);
    return px < -8 || py < -8 || px > width + 8 || py > height + 8 ? null : [px, py];
  };
  pen.clip(0, 0, width, height, () => {
    const dim = marks.selected !== null;
    for (let i = 0; i < data.n; i++) {
      if (!visible(i) || (dim && marks.selected![i] === 1)) continue;
      const at = place(i);
      if (at) stamp(i, at[0], at[1], dim ? 0.25 : 0.85);
    }
    if (marks.focus !== null) {
      const from = place(marks.focus);
      if (from)
        for (const row of marks.linked) {
          const to = visible(row) ? place(row) : null;
          if (to) pen.polyline([from[0], from[1], to[0], to[1]], { stroke: theme.text, width: 1, alpha: 0.35 });
        }
    }
    // Many rims together would read as black: they get thinner.
    const rim = dim && marks.selected!.reduce((sum, v) => sum + v, 0) > 80 ? 0.8 : 1.5;
    if (dim)
      for (let i = 0; i < data.n; i++) {
        if (!visible(i) || marks.selected![i] !== 1) continue;
        const at = place(i);
        if (at) rimmed(pen, data, theme, i, at, radius, rim);
      }
    drawNames(pen, width, height, data, camera, marks, theme);
    for (const i of [marks.hover, marks.focus]) {
      if (i === null || !visible(i)) continue;
      const at = place(i);
      if (!at) continue;
      rimmed(pen, data, theme, i, at, radius + 1.2);
      if (i === marks.focus) pen.marker("circle", at[0], at[1], radius + 6, { stroke: theme.accent, width: 2 });
    }
  });
}

function look(data: MapData, i: number): { slot: number; marker: (typeof MARKERS)[number] } {
  const slot = data.categories[data.categoryOf[i]!]?.slot ?? 0;
  return { slot, marker: slot === 0 ? "circle" : MARKERS[slot - 1]! };
}

/** A rim in the text's colour keeps a selected mark apart from its neighbours. */
function rimmed(
  pen: Pen,
  data: MapData,
  theme: PlotTheme,
  i: number,
  [x, y]: [number, number],
  radius: number,
  width = 1.5,
): void {
  const { slot, marker } = look(data, i);
  const colour = slotColour(theme, slot);
  if (marker === "ring") {
    pen.marker("circle", x, y, radius + 1, { fill: theme.bg, stroke: theme.text, width });
    pen.marker("ring", x, y, radius - 0.6, { fill: colour });
  } else pen.marker(marker, x, y, radius, { fill: colour, stroke: theme.text, width });
}

type Stamp = (i: number, x: number, y: number, alpha: number) => void;

function penStamp(pen: Pen, data: MapData, theme: PlotTheme, radius: number): Stamp {
  return (i, x, y, alpha) => {
    const { slot, marker } = look(data, i);
    pen.marker(marker, x, y, radius, { fill: slotColour(theme, slot), alpha });
  };
}

/** One small picture per category, stamped per point: several times as fast as drawing each outline. */
function spriteStamp(pen: CanvasPen, data: MapData, theme: PlotTheme, radius: number): Stamp {
  const context = pen.context;
  const scale = context.getTransform().a;
  const half = Math.ceil(radius * 1.5) + 1;
  const sprites = data.categories.map((category) => {
    const sprite = new OffscreenCanvas(Math.ceil(half * 2 * scale), Math.ceil(half * 2 * scale));
    const inner = sprite.getContext("2d")!;
    inner.scale(scale, scale);
    const own = new CanvasPen(inner, pen.font);
    const marker = category.slot === 0 ? "circle" : MARKERS[category.slot - 1]!;
    own.marker(marker, half, half, radius, {
      fill: slotColour(theme, category.slot),
      ...(marker === "ring" ? {} : { stroke: theme.bg, width: 0.6 }),
    });
    return sprite;
  });
  return (i, x, y, alpha) => {
    context.globalAlpha = alpha;
    context.drawImage(sprites[data.categoryOf[i]!]!, x - half, y - half, half * 2, half * 2);
    context.globalAlpha = 1;
  };
}

/** Label names at their medians, largest label first; a name that would cover another one waits until zoom parts them. */
function drawNames(
  pen: Pen,
  width: number,
  height: number,
  data: MapData,
  camera: MapCamera,
  marks: MapMarks,
  theme: PlotTheme,
): void {
  const taken: [number, number, number, number][] = [];
  for (const { label, x, y } of data.centroids) {
    const [px, py] = project(camera, width, height, x, y);
    if (px < 0 || py < 0 || px > width || py > height) continue;
    const name = label.length > 32 ? `${label.slice(0, 31)}…` : label;
    const half = pen.measure(name, 12, 600) / 2 + 5;
    const cx = Math.min(Math.max(px, half), width - half);
    const box: [number, number, number, number] = [cx - half, py - 10, cx + half, py + 10];
    if (taken.some((other) => box[0] < other[2] && box[2] > other[0] && box[1] < other[3] && box[3] > other[1]))
      continue;
    taken.push(box);
    pen.text(name, cx, py, {
      fill: marks.selected ? theme.muted : theme.text,
      size: 12,
      weight: 600,
      align: "center",
      baseline: "middle",
      halo: theme.bg,
    });
  }
}
