/** The eight plot categories in order. Colour never works alone: each slot also has a marker and a dash. */
export interface Category {
  /** CSS variable of the colour; resolve it with `readToken` where CSS variables do not reach (canvas, Plotly). */
  token: `--cat-${number}`;
  light: string;
  dark: string;
  name: string;
  glyph: string;
  /** Plotly's name of the marker. */
  marker: string;
  /** SVG dash array; "" is solid. */
  dash: string;
}

export const CATEGORIES: readonly Category[] = [
  { token: "--cat-1", light: "#0d5bd2", dark: "#2f69e3", name: "blue", glyph: "●", marker: "circle", dash: "" },
  {
    token: "--cat-2",
    light: "#da7c36",
    dark: "#f09925",
    name: "orange",
    glyph: "▲",
    marker: "triangle-up",
    dash: "6 3",
  },
  { token: "--cat-3", light: "#055649", dark: "#3eb09b", name: "pine", glyph: "■", marker: "square", dash: "2 2" },
  {
    token: "--cat-4",
    light: "#9f2392",
    dark: "#ad469d",
    name: "magenta",
    glyph: "◆",
    marker: "diamond",
    dash: "8 3 2 3",
  },
  { token: "--cat-5", light: "#379aa1", dark: "#95ebfc", name: "teal", glyph: "✚", marker: "cross", dash: "10 4" },
  {
    token: "--cat-6",
    light: "#4d1f0e",
    dark: "#d53b13",
    name: "umber",
    glyph: "▼",
    marker: "triangle-down",
    dash: "4 2",
  },
  { token: "--cat-7", light: "#9a75f7", dark: "#be9cf2", name: "violet", glyph: "★", marker: "star", dash: "1 3" },
  {
    token: "--cat-8",
    light: "#826925",
    dark: "#e4e960",
    name: "olive",
    glyph: "○",
    marker: "circle-open",
    dash: "12 3 3 3",
  },
];
