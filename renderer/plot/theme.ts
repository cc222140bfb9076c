/**
 * The theme as plain values for canvas, SVG and Plotly, read from theme/tokens.css so that no colour is written twice.
 */
import { useSyncExternalStore } from "react";
import { CATEGORIES } from "../theme/categories.ts";
import { currentTheme, onThemeChange, readToken, type ThemeName } from "../theme/theme.ts";

export { prefersReducedMotion } from "../theme/theme.ts";

export interface PlotTheme {
  name: ThemeName;
  bg: string;
  sunken: string;
  raised: string;
  text: string;
  muted: string;
  faint: string;
  border: string;
  borderStrong: string;
  accent: string;
  selected: string;
  ok: string;
  warn: string;
  error: string;
  /** Eight category colours, slot 1 first. */
  categories: readonly string[];
  font: string;
}

export type Marker = "circle" | "triangle" | "square" | "diamond" | "cross" | "triangle-down" | "star" | "ring";

/** Our drawing of each slot's marker and dash; slot 1 first. */
export const MARKERS: readonly Marker[] = [
  "circle",
  "triangle",
  "square",
  "diamond",
  "cross",
  "triangle-down",
  "star",
  "ring",
];
export const MARKER_GLYPHS: readonly string[] = CATEGORIES.map((category) => category.glyph);
export const DASHES: readonly (readonly number[])[] = CATEGORIES.map((category) =>
  category.dash === "" ? [] : category.dash.split(" ").map(Number),
);

/** Colour of a slot; slot 0 is "other". */
export function slotColour(theme: PlotTheme, slot: number): string {
  return theme.categories[slot - 1] ?? theme.faint;
}

const PLOT_FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif';
let cached: PlotTheme | undefined;

/** The theme as it is now; the same object until the theme changes. */
export function plotTheme(): PlotTheme {
  const name = currentTheme();
  if (cached?.name === name) return cached;
  cached = {
    name,
    bg: readToken("--bg"),
    sunken: readToken("--bg-sunken"),
    raised: readToken("--bg-raised"),
    text: readToken("--text"),
    muted: readToken("--text-muted"),
    faint: readToken("--text-faint"),
    border: readToken("--border"),
    borderStrong: readToken("--border-strong"),
    accent: readToken("--accent"),
    selected: readToken("--bg-selected"),
    ok: readToken("--ok"),
    warn: readToken("--warn"),
    error: readToken("--error"),
    categories: CATEGORIES.map((category) => readToken(category.token)),
    font: PLOT_FONT,
  };
  return cached;
}

export function usePlotTheme(): PlotTheme {
  return useSyncExternalStore(onThemeChange, plotTheme);
}
