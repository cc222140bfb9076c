import { readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";
import { CATEGORIES } from "../../../renderer/theme/categories.ts";
import { root } from "../../../scripts/build.mjs";

type Rgb = [number, number, number];
const css = readFileSync(path.join(root, "renderer/theme/tokens.css"), "utf8");
const tokens = new Map(
  [...css.matchAll(/--([\w-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\)/g)].map((match) => [
    String(match[1]),
    { light: String(match[2]), dark: String(match[3]) },
  ]),
);

const linear = (hex: string): Rgb =>
  [1, 3, 5].map((at) => {
    const value = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }) as Rgb;

/** WCAG 2 contrast. */
function contrast(a: string, b: string): number {
  const [x, y] = [a, b].map((hex) => {
    const [r, g, blue] = linear(hex);
    return 0.2126 * r + 0.7152 * g + 0.0722 * blue;
  }) as [number, number];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}

function oklab([r, g, b]: Rgb): Rgb {
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

/** Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB. */
const SIMULATIONS: Record<string, Rgb[]> = {
  protan: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deutan: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritan: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

function smallestDistance(colours: string[]): number {
  let smallest = Number.POSITIVE_INFINITY;
  for (const matrix of Object.values(SIMULATIONS)) {
    const seen = colours.map((hex) => {
      const rgb = linear(hex);
      const out = matrix.map((row) =>
        Math.min(1, Math.max(0, row[0] * rgb[0] + row[1] * rgb[1] + row[2] * rgb[2])),
      ) as Rgb;
      return oklab(out);
    });
    for (const [i, a] of seen.entries())
      for (const b of seen.slice(i + 1))
        smallest = Math.min(smallest, 100 * Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]));
  }
  return smallest;
}

describe.each(["light", "dark"] as const)("tokens, %s", (theme) => {
  const token = (name: string) => {
    const found = tokens.get(name);
    if (!found) throw new Error(`tokens.css has no --${name}`);
    return found[theme];
  };

  it.each(["text", "text-muted", "text-faint"])("%s is readable on every surface", (name) => {
    for (const surface of ["bg", "bg-sunken", "bg-raised", "bg-hover", "bg-selected"])
      expect(contrast(token(name), token(surface)), `${name} on ${surface}`).toBeGreaterThanOrEqual(4.5);
  });

  it.each([
    ["accent", "bg"],
    ["accent", "bg-sunken"],
    ["accent", "bg-selected"],
    ["on-accent", "accent"],
    ["ok", "bg"],
    ["ok", "bg-sunken"],
    ["warn", "bg"],
    ["warn", "warn-bg"],
    ["error", "bg"],
    ["error", "bg-sunken"],
    ["busy", "bg"],
    ["text", "error-bg"],
    ["text", "warn-bg"],
  ])("%s is readable on %s", (name, surface) => {
    expect(contrast(token(name), token(surface))).toBeGreaterThanOrEqual(4.5);
  });

  it("outlines and focus rings stand out by 3 to 1", () => {
    for (const name of ["border-strong", "focus"])
      for (const surface of ["bg", "bg-sunken", "bg-raised"])
        expect(contrast(token(name), token(surface)), `${name} on ${surface}`).toBeGreaterThanOrEqual(3);
  });

  it("plot categories stand out from the plot, and from each other for every kind of colour vision", () => {
    const colours = CATEGORIES.map((category) => token(category.token.slice(2)));
    expect(colours).toEqual(CATEGORIES.map((category) => category[theme]));
    for (const colour of colours) expect(contrast(colour, token("bg"))).toBeGreaterThanOrEqual(3);
    expect(smallestDistance(colours)).toBeGreaterThan(10.5);
  });
});

it("each category has a glyph, a marker and a dash of its own", () => {
  for (const key of ["glyph", "marker", "dash", "token"] as const)
    expect(new Set(CATEGORIES.map((category) => category[key])).size).toBe(8);
});
