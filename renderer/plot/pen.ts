/**
 * One drawing, two surfaces. Charts are drawn through a Pen, which paints on a canvas or writes SVG, so that the saved
 * picture is the one on screen.
 */
import type { Marker } from "./theme.ts";

export interface LineStyle {
  stroke: string;
  width?: number;
  dash?: readonly number[];
  alpha?: number;
}
export interface FillStyle {
  fill?: string;
  stroke?: string;
  width?: number;
  alpha?: number;
}
export interface TextStyle {
  fill: string;
  size?: number;
  weight?: number;
  align?: "left" | "center" | "right";
  baseline?: "top" | "middle" | "bottom" | "alphabetic";
  /** Outline in this colour, so that text stays readable on marks. */
  halo?: string;
  /** Degrees, clockwise, around the anchor. */
  rotate?: number;
}

export interface Pen {
  /** Interleaved x, y; a NaN breaks the line. */
  polyline(points: ArrayLike<number>, style: LineStyle): void;
  rect(x: number, y: number, width: number, height: number, style: FillStyle): void;
  marker(kind: Marker, x: number, y: number, radius: number, style: FillStyle): void;
  text(content: string, x: number, y: number, style: TextStyle): void;
  /** Everything drawn inside `body` is cut to the rectangle. */
  clip(x: number, y: number, width: number, height: number, body: () => void): void;
  measure(content: string, size: number, weight?: number): number;
}

/** Outline of a marker around 0, 0 as polygons; null for round ones. */
function polygon(kind: Marker, r: number): [number, number][] | null {
  switch (kind) {
    case "circle":
    case "ring":
      return null;
    case "square":
      return [
        [-0.88 * r, -0.88 * r],
        [0.88 * r, -0.88 * r],
        [0.88 * r, 0.88 * r],
        [-0.88 * r, 0.88 * r],
      ];
    case "triangle":
      return [
        [0, -1.2 * r],
        [1.08 * r, 0.75 * r],
        [-1.08 * r, 0.75 * r],
      ];
    case "triangle-down":
      return [
        [0, 1.2 * r],
        [1.08 * r, -0.75 * r],
        [-1.08 * r, -0.75 * r],
      ];
    case "diamond":
      return [
        [0, -1.25 * r],
        [1.1 * r, 0],
        [0, 1.25 * r],
        [-1.1 * r, 0],
      ];
    case "cross": {
      const a = 0.4 * r;
      const b = 1.15 * r;
      return [
        [-a, -b],
        [a, -b],
        [a, -a],
        [b, -a],
        [b, a],
        [a, a],
        [a, b],
        [-a, b],
        [-a, a],
        [-b, a],
        [-b, -a],
        [-a, -a],
      ];
    }
    case "star":
      return Array.from({ length: 10 }, (_, i) => {
        const radius = i % 2 === 0 ? 1.35 * r : 0.58 * r;
        const angle = (i * Math.PI) / 5 - Math.PI / 2;
        return [radius * Math.cos(angle), radius * Math.sin(angle)] as [number, number];
      });
  }
}

type Context2D = CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D;

export class CanvasPen implements Pen {
  constructor(
    readonly context: Context2D,
    readonly font: string,
  ) {}

  polyline(points: ArrayLike<number>, style: LineStyle): void {
    const c = this.context;
    c.save();
    c.strokeStyle = style.stroke;
    c.lineWidth = style.width ?? 1;
    c.globalAlpha = style.alpha ?? 1;
    c.lineJoin = "round";
    c.setLineDash(style.dash ? [...style.dash] : []);
    c.beginPath();
    let open = false;
    for (let i = 0; i + 1 < points.length; i += 2) {
      const x = points[i]!;
      const y = points[i + 1]!;
      if (Number.isNaN(x) || Number.isNaN(y)) open = false;
      else if (open) c.lineTo(x, y);
      else {
        c.moveTo(x, y);
        open = true;
      }
    }
    c.stroke();
    c.restore();
  }

  rect(x: number, y: number, width: number, height: number, style: FillStyle): void {
    const c = this.context;
    c.save();
    c.globalAlpha = style.alpha ?? 1;
    if (style.fill) {
      c.fillStyle = style.fill;
      c.fillRect(x, y, width, height);
    }
    if (style.stroke) {
      c.strokeStyle = style.stroke;
      c.lineWidth = style.width ?? 1;
      c.strokeRect(x, y, width, height);
    }
    c.restore();
  }

  marker(kind: Marker, x: number, y: number, radius: number, style: FillStyle): void {
    const c = this.context;
    c.save();
    c.globalAlpha = style.alpha ?? 1;
    c.beginPath();
    const points = polygon(kind, radius);
    if (points) {
      for (const [i, [px, py]] of points.entries()) i === 0 ? c.moveTo(x + px, y + py) : c.lineTo(x + px, y + py);
      c.closePath();
    } else c.arc(x, y, kind === "ring" ? radius * 0.95 : radius, 0, 2 * Math.PI);
    if (kind === "ring" && style.fill) {
      c.strokeStyle = style.fill;
      c.lineWidth = Math.max(1.2, radius * 0.45);
      c.stroke();
    } else if (style.fill) {
      c.fillStyle = style.fill;
      c.fill();
    }
    if (style.stroke) {
      c.strokeStyle = style.stroke;
      c.lineWidth = style.width ?? 1;
      c.stroke();
    }
    c.restore();
  }

  text(content: string, x: number, y: number, style: TextStyle): void {
    const c = this.context;
    c.save();
    c.font = `${style.weight ?? 400} ${style.size ?? 11}px ${this.font}`;
    c.textAlign = style.align ?? "left";
    c.textBaseline = style.baseline ?? "alphabetic";
    c.translate(x, y);
    if (style.rotate) c.rotate((style.rotate * Math.PI) / 180);
    if (style.halo) {
      c.strokeStyle = style.halo;
      c.lineWidth = 3;
      c.lineJoin = "round";
      c.strokeText(content, 0, 0);
    }
    c.fillStyle = style.fill;
    c.fillText(content, 0, 0);
    c.restore();
  }

  clip(x: number, y: number, width: number, height: number, body: () => void): void {
    this.context.save();
    this.context.beginPath();
    this.context.rect(x, y, width, height);
    this.context.clip();
    body();
    this.context.restore();
  }

  measure(content: string, size: number, weight = 400): number {
    this.context.save();
    this.context.font = `${weight} ${size}px ${this.font}`;
    const { width } = this.context.measureText(content);
    this.context.restore();
    return width;
  }
}

const escapeXml = (text: string) =>
  text.replace(/[&<>"]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" })[c]!);
const r2 = (value: number) => Math.round(value * 100) / 100;

export class SvgPen implements Pen {
  private readonly parts: string[] = [];
  private clips = 0;

  constructor(
    readonly width: number,
    readonly height: number,
    readonly font: string,
  ) {}

  polyline(points: ArrayLike<number>, style: LineStyle): void {
    let d = "";
    let open = false;
    for (let i = 0; i + 1 < points.length; i += 2) {
      const x = points[i]!;
      const y = points[i + 1]!;
      if (Number.isNaN(x) || Number.isNaN(y)) open = false;
      else {
        d += `${open ? "L" : "M"}${r2(x)} ${r2(y)}`;
        open = true;
      }
    }
    if (d === "") return;
    const dash = style.dash && style.dash.length > 0 ? ` stroke-dasharray="${style.dash.join(" ")}"` : "";
    this.parts.push(
      `<path d="${d}" fill="none" stroke="${style.stroke}" stroke-width="${style.width ?? 1}" stroke-linejoin="round"${dash}${alpha(style.alpha)}/>`,
    );
  }

  rect(x: number, y: number, width: number, height: number, style: FillStyle): void {
    this.parts.push(
      `<rect x="${r2(x)}" y="${r2(y)}" width="${r2(width)}" height="${r2(height)}"${paint(style)}${alpha(style.alpha)}/>`,
    );
  }

  marker(kind: Marker, x: number, y: number, radius: number, style: FillStyle): void {
    const points = polygon(kind, radius);
    const look =
      kind === "ring" && style.fill
        ? ` fill="none" stroke="${style.fill}" stroke-width="${Math.max(1.2, radius * 0.45)}"`
        : paint(style);
    this.parts.push(
      points
        ? `<polygon points="${points.map(([px, py]) => `${r2(x + px)},${r2(y + py)}`).join(" ")}"${look}${alpha(style.alpha)}/>`
        : `<circle cx="${r2(x)}" cy="${r2(y)}" r="${r2(kind === "ring" ? radius * 0.95 : radius)}"${look}${alpha(style.alpha)}/>`,
    );
  }

  text(content: string, x: number, y: number, style: TextStyle): void {
    const anchor = { left: "start", center: "middle", right: "end" }[style.align ?? "left"];
    const size = style.size ?? 11;
    const shift = { top: size * 0.8, middle: size * 0.35, bottom: -size * 0.2, alphabetic: 0 }[
      style.baseline ?? "alphabetic"
    ];
    const halo = style.halo
      ? ` stroke="${style.halo}" stroke-width="3" stroke-linejoin="round" paint-order="stroke"`
      : "";
    const turn = style.rotate ? ` transform="rotate(${style.rotate} ${r2(x)} ${r2(y)})"` : "";
    this.parts.push(
      `<text x="${r2(x)}" y="${r2(y + shift)}" font-size="${size}" font-weight="${style.weight ?? 400}" text-anchor="${anchor}" fill="${style.fill}"${halo}${turn}>${escapeXml(content)}</text>`,
    );
  }

  clip(x: number, y: number, width: number, height: number, body: () => void): void {
    const id = `clip${this.clips++}`;
    this.parts.push(
      `<clipPath id="${id}"><rect x="${r2(x)}" y="${r2(y)}" width="${r2(width)}" height="${r2(height)}"/></clipPath><g clip-path="url(#${id})">`,
    );
    body();
    this.parts.push("</g>");
  }

  measure(content: string, size: number): number {
    return content.length * size * 0.55;
  }

  toString(title?: string): string {
    const name = title ? `<title>${escapeXml(title)}</title>` : "";
    return `<svg xmlns="http://www.w3.org/2000/svg" width="${this.width}" height="${this.height}" viewBox="0 0 ${this.width} ${this.height}" font-family="${escapeXml(this.font)}">${name}${this.parts.join("")}</svg>\n`;
  }
}

function paint(style: FillStyle): string {
  return ` fill="${style.fill ?? "none"}"${style.stroke ? ` stroke="${style.stroke}" stroke-width="${style.width ?? 1}"` : ""}`;
}

function alpha(value: number | undefined): string {
  return value === undefined || value === 1 ? "" : ` opacity="${value}"`;
}

/** Sizes the canvas for the screen's pixels and returns a context that works in CSS pixels; null when it cannot draw. */
export function fitCanvas(canvas: HTMLCanvasElement, width: number, height: number): CanvasRenderingContext2D | null {
  const scale = Math.min(3, window.devicePixelRatio || 1);
  const [w, h] = [Math.max(1, Math.round(width * scale)), Math.max(1, Math.round(height * scale))];
  if (canvas.width !== w || canvas.height !== h) {
    canvas.width = w;
    canvas.height = h;
  }
  const context = canvas.getContext("2d");
  context?.setTransform(scale, 0, 0, scale, 0, 0);
  return context;
}

/** PNG of a drawing at twice its size. */
export async function drawPng(width: number, height: number, font: string, draw: (pen: Pen) => void): Promise<Blob> {
  const canvas = new OffscreenCanvas(width * 2, height * 2);
  const context = canvas.getContext("2d")!;
  context.scale(2, 2);
  draw(new CanvasPen(context, font));
  return canvas.convertToBlob({ type: "image/png" });
}
