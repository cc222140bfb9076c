/** The plot palette of the light theme: figures that leave the app (SVG, Plotly JSON) are drawn on white. */
import type { Slot } from "./figure.ts";

export const INK = "#1A1D23";
export const MUTED = "#565D6B";
export const GRID = "#E4E7EC";
export const PAPER = "#FFFFFF";

interface SlotStyle {
  color: string;
  /** Plotly marker symbol. */
  marker: string;
  /** SVG stroke-dasharray and Plotly dash; "" is solid. */
  dash: string;
}

export const SLOTS: Readonly<Record<Slot, SlotStyle>> = {
  1: { color: "#0D5BD2", marker: "circle", dash: "" },
  2: { color: "#DA7C36", marker: "triangle-up", dash: "6,3" },
  3: { color: "#055649", marker: "square", dash: "2,2" },
  4: { color: "#9F2392", marker: "diamond", dash: "8,3,2,3" },
  5: { color: "#379AA1", marker: "cross", dash: "10,4" },
  6: { color: "#4D1F0E", marker: "triangle-down", dash: "4,2" },
  7: { color: "#9A75F7", marker: "star", dash: "1,3" },
  8: { color: "#826925", marker: "circle-open", dash: "12,3,3,3" },
};

/** The slot of the i-th series when none was chosen. */
export function slotAt(index: number): Slot {
  return ((index % 8) + 1) as Slot;
}
