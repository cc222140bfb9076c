/**
 * The live map: camera, pointer, drawing. It lives outside React, draws at most once a frame from typed arrays and tells
 * its owner what was hovered and selected.
 */
import { CanvasPen, fitCanvas } from "../pen.ts";
import { type PlotTheme, prefersReducedMotion } from "../theme.ts";
import type { MapData } from "./map-data.ts";
import { drawMap, fitCamera, type MapCamera, type MapMarks, NO_MARKS, project } from "./map-draw.ts";

export type MapTool = "pan" | "lasso" | "box";

export interface MapEvents {
  onHover(row: number | null, x: number, y: number): void;
  /** A click on a point, or on nothing. */
  onPick(row: number | null): void;
  /** Rows inside a finished lasso or box. */
  onArea(rows: number[]): void;
}

const REACH = 14;

export class MapCanvas {
  tool: MapTool = "pan";
  #marks: MapMarks = NO_MARKS;
  #camera: MapCamera | null = null;
  #width = 0;
  #height = 0;
  #pending = 0;
  #glide = 0;
  #theme: PlotTheme;
  #trail: number[] = [];
  #drag: { x: number; y: number; moved: boolean; camera: MapCamera } | null = null;
  #moved = false;
  readonly #observer: ResizeObserver;
  readonly #abort = new AbortController();

  constructor(
    readonly canvas: HTMLCanvasElement,
    readonly data: MapData,
    theme: PlotTheme,
    readonly events: MapEvents,
  ) {
    this.#theme = theme;
    const { signal } = this.#abort;
    canvas.addEventListener("pointerdown", this.#onDown, { signal });
    canvas.addEventListener("pointermove", this.#onMove, { signal });
    canvas.addEventListener("pointerup", this.#onUp, { signal });
    canvas.addEventListener("pointercancel", this.#onCancel, { signal });
    canvas.addEventListener("pointerleave", () => events.onHover(null, 0, 0), { signal });
    canvas.addEventListener("wheel", this.#onWheel, { signal, passive: false });
    canvas.addEventListener("dblclick", () => this.fit(), { signal });
    this.#observer = new ResizeObserver(() => this.schedule());
    this.#observer.observe(canvas);
    // Keys and pointer may come before the first frame is drawn.
    this.#measure();
    this.schedule();
  }

  dispose(): void {
    this.#abort.abort();
    this.#observer.disconnect();
    cancelAnimationFrame(this.#pending);
    cancelAnimationFrame(this.#glide);
  }

  set theme(theme: PlotTheme) {
    this.#theme = theme;
    this.schedule();
  }

  set marks(marks: MapMarks) {
    this.#marks = marks;
    this.schedule();
  }

  get camera(): MapCamera | null {
    return this.#camera;
  }

  schedule(): void {
    if (this.#pending !== 0) return;
    this.#pending = requestAnimationFrame(() => {
      this.#pending = 0;
      this.#draw();
    });
  }

  /** Takes the canvas' size over; false while it has none (hidden, or not laid out). */
  #measure(): boolean {
    const box = this.canvas.getBoundingClientRect();
    if (box.width < 20 || box.height < 20) return false;
    const resized = box.width !== this.#width || box.height !== this.#height;
    this.#width = box.width;
    this.#height = box.height;
    if (this.#camera === null || (resized && !this.#moved)) this.#camera = fitCamera(this.data, box.width, box.height);
    return true;
  }

  #draw(): void {
    if (!this.#measure() || this.#camera === null) return;
    const [width, height] = [this.#width, this.#height];
    const context = fitCanvas(this.canvas, width, height);
    if (!context) return;
    const pen = new CanvasPen(context, this.#theme.font);
    drawMap(pen, width, height, this.data, this.#camera, this.#marks, this.#theme);
    if (this.#trail.length >= 4) {
      const line = { stroke: this.#theme.accent, width: 1.5, dash: [4, 3] };
      if (this.tool === "box") {
        const [x0, y0] = this.#trail as [number, number];
        const [x1, y1] = this.#trail.slice(-2) as [number, number];
        pen.rect(x0, y0, x1 - x0, y1 - y0, { fill: this.#theme.accent, alpha: 0.08 });
        pen.polyline([x0, y0, x1, y0, x1, y1, x0, y1, x0, y0], line);
      } else pen.polyline([...this.#trail, this.#trail[0]!, this.#trail[1]!], line);
    }
  }

  /** Moves the view by pixels. */
  panBy(dx: number, dy: number): void {
    const camera = this.#camera;
    if (!camera) return;
    this.#go({ ...camera, x: camera.x + dx / camera.scale, y: camera.y - dy / camera.scale });
  }

  /** Zooms around a place in pixels, or around the middle. */
  zoomBy(factor: number, px = this.#width / 2, py = this.#height / 2, glide = true): void {
    const camera = this.#camera;
    if (!camera) return;
    const fit = fitCamera(this.data, this.#width, this.#height).scale;
    const scale = Math.min(fit * 200, Math.max(fit * 0.4, camera.scale * factor));
    const dx = px - this.#width / 2;
    const dy = py - this.#height / 2;
    const x = camera.x + dx / camera.scale - dx / scale;
    const y = camera.y - dy / camera.scale + dy / scale;
    if (glide) this.#go({ x, y, scale });
    else this.#set({ x, y, scale });
  }

  /** Shows all points, or the given ones. */
  fit(rows?: Iterable<number>): void {
    this.#go(fitCamera(this.data, this.#width, this.#height, rows));
    this.#moved = rows !== undefined;
  }

  /** Brings a point into view when it lies outside. */
  reveal(row: number): void {
    const at = this.pixel(row);
    if (!at || !this.#camera) return;
    const [x, y] = at;
    if (x > 24 && y > 24 && x < this.#width - 24 && y < this.#height - 24) return;
    this.#go({ ...this.#camera, x: this.data.points[2 * row]!, y: this.data.points[2 * row + 1]! });
  }

  pixel(row: number): [number, number] | null {
    const [x, y] = [this.data.points[2 * row]!, this.data.points[2 * row + 1]!];
    return this.#camera && Number.isFinite(x) && Number.isFinite(y)
      ? project(this.#camera, this.#width, this.#height, x, y)
      : null;
  }

  /** Nearest visible point to a place, within reach (all the map when reach is Infinity). */
  nearest(px: number, py: number, reach = REACH): number | null {
    let best: number | null = null;
    let least = reach * reach;
    for (let i = 0; i < this.data.n; i++) {
      if (!this.#isShown(i)) continue;
      const at = this.pixel(i);
      if (!at) continue;
      const distance = (at[0] - px) ** 2 + (at[1] - py) ** 2;
      if (distance < least) {
        least = distance;
        best = i;
      }
    }
    return best;
  }

  get middle(): [number, number] {
    return [this.#width / 2, this.#height / 2];
  }

  /** The next point in a direction: nearest within a quarter turn. */
  neighbourTowards(row: number, dx: number, dy: number): number | null {
    const from = this.pixel(row);
    if (!from) return null;
    let best: number | null = null;
    let least = Number.POSITIVE_INFINITY;
    for (let i = 0; i < this.data.n; i++) {
      if (i === row || !this.#isShown(i)) continue;
      const at = this.pixel(i);
      if (!at) continue;
      const [x, y] = [at[0] - from[0], at[1] - from[1]];
      const along = x * dx + y * dy;
      const across = Math.abs(x * dy - y * dx);
      if (along <= 0.5 || across > along) continue;
      const cost = along + 2 * across;
      if (cost < least) {
        least = cost;
        best = i;
      }
    }
    return best;
  }

  #isShown(i: number): boolean {
    return this.#marks.shown === null || this.#marks.shown[i] === 1;
  }

  #set(camera: MapCamera): void {
    this.#moved = true;
    this.#camera = camera;
    this.schedule();
  }

  #go(to: MapCamera): void {
    cancelAnimationFrame(this.#glide);
    const from = this.#camera;
    if (!from || prefersReducedMotion()) {
      this.#set(to);
      return;
    }
    const start = performance.now();
    const step = (now: number) => {
      const t = Math.min(1, (now - start) / 160);
      const ease = 1 - (1 - t) ** 3;
      this.#set({
        x: from.x + (to.x - from.x) * ease,
        y: from.y + (to.y - from.y) * ease,
        scale: from.scale * (to.scale / from.scale) ** ease,
      });
      if (t < 1) this.#glide = requestAnimationFrame(step);
    };
    this.#glide = requestAnimationFrame(step);
  }

  #place(event: MouseEvent): [number, number] {
    const box = this.canvas.getBoundingClientRect();
    return [event.clientX - box.left, event.clientY - box.top];
  }

  readonly #onDown = (event: PointerEvent): void => {
    if (event.button !== 0 || !this.#camera) return;
    const [x, y] = this.#place(event);
    cancelAnimationFrame(this.#glide);
    this.canvas.setPointerCapture(event.pointerId);
    this.#drag = { x, y, moved: false, camera: this.#camera };
    if (this.tool !== "pan" || event.shiftKey) this.#trail = [x, y];
  };

  readonly #onMove = (event: PointerEvent): void => {
    const [x, y] = this.#place(event);
    const drag = this.#drag;
    if (!drag) {
      const row = this.nearest(x, y);
      this.events.onHover(row, x, y);
      return;
    }
    if (!drag.moved && Math.hypot(x - drag.x, y - drag.y) < 4) return;
    drag.moved = true;
    if (this.#trail.length > 0) {
      this.#trail.push(x, y);
      this.schedule();
    } else {
      this.events.onHover(null, 0, 0);
      this.#set({
        ...drag.camera,
        x: drag.camera.x - (x - drag.x) / drag.camera.scale,
        y: drag.camera.y + (y - drag.y) / drag.camera.scale,
      });
    }
  };

  readonly #onUp = (event: PointerEvent): void => {
    const drag = this.#drag;
    const trail = this.#trail;
    this.#drag = null;
    this.#trail = [];
    this.schedule();
    if (!drag) return;
    if (!drag.moved) this.events.onPick(this.nearest(...this.#place(event)));
    else if (trail.length >= 4) this.events.onArea(this.#inside(trail));
  };

  readonly #onCancel = (): void => {
    this.#drag = null;
    this.#trail = [];
    this.schedule();
  };

  #inside(trail: number[]): number[] {
    const [x0, y0] = trail as [number, number];
    const [x1, y1] = trail.slice(-2) as [number, number];
    const polygon = this.tool === "box" ? [x0, y0, x1, y0, x1, y1, x0, y1] : trail;
    const out: number[] = [];
    for (let i = 0; i < this.data.n; i++) {
      if (!this.#isShown(i)) continue;
      const at = this.pixel(i);
      if (at && isInside(polygon, at[0], at[1])) out.push(i);
    }
    return out;
  }

  readonly #onWheel = (event: WheelEvent): void => {
    // A plain wheel scrolls the notebook; with Ctrl or Cmd (and by pinching) it zooms the map.
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    const [x, y] = this.#place(event);
    this.zoomBy(Math.exp(-event.deltaY * 0.004), x, y, false);
  };
}

/** Even–odd rule on interleaved x, y. */
export function isInside(polygon: readonly number[], x: number, y: number): boolean {
  let inside = false;
  const n = polygon.length / 2;
  for (let i = 0, j = n - 1; i < n; j = i++) {
    const [xi, yi] = [polygon[2 * i]!, polygon[2 * i + 1]!];
    const [xj, yj] = [polygon[2 * j]!, polygon[2 * j + 1]!];
    if (yi > y !== yj > y && x < ((xj - xi) * (y - yi)) / (yj - yi) + xi) inside = !inside;
  }
  return inside;
}
