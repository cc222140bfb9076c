/**
 * A figure as a self-contained SVG, drawn by Observable Plot on a document without a browser: what GitHub, a printed
 * page and an HTML export show. Costs about 50 ms the first time (the library is loaded then), some ms afterwards.
 */
import { axisTitle, type Figure, type Mark, type Slot } from "./figure.ts";
import { INK, MUTED, PAPER, SLOTS, slotAt } from "./palette.ts";

type Plot = typeof import("@observablehq/plot");
type Markish = import("@observablehq/plot").Markish;

/** SVG files get heavy past this; longer lines are thinned, more points are sampled evenly and the caption says so. */
const MOST_POINTS = 2000;

/** Category labels are cut to this many characters; the table twin has them whole. */
const LONGEST_LABEL = 40;

export async function toSvg(figure: Figure): Promise<string> {
  const [plot, { parseHTML }] = await Promise.all([import("@observablehq/plot"), import("linkedom")]);
  const { document } = parseHTML("<!doctype html><html><body></body></html>");
  const marks: Markish[] = [];
  const legend: { name: string; slot: Slot }[] = [];
  const longest = Math.max(...categoryNames(figure).map((name) => name.length), 0);
  const marginLeft = figure.y.scale === "category" ? 24 + 6.6 * Math.min(LONGEST_LABEL, longest) : 56;
  let next = 0;
  for (const mark of figure.marks) {
    if (mark.kind === "rule" || mark.kind === "heat") {
      marks.push(...draw(plot, mark, 1));
      continue;
    }
    const slot = mark.slot ?? slotAt(next);
    const ghost = mark.kind === "line" && mark.ghost === true;
    if (!ghost) next++;
    if (!ghost && !legend.some((entry) => entry.name === mark.name)) legend.push({ name: mark.name, slot });
    marks.push(...draw(plot, mark, slot));
  }
  const heat = figure.marks.find((mark) => mark.kind === "heat");
  const top = legend.length > 1 ? 64 : 44;
  const width = figure.width ?? 640;
  const height = figure.height ?? 360;
  const notes = figure.notes ?? [];
  const rendered = plot.plot({
    document,
    width,
    height,
    marginTop: top,
    marginLeft,
    marginRight: 24,
    marginBottom: figure.x.bare ? 16 : 44,
    style: { background: PAPER, color: INK, fontFamily: "system-ui, sans-serif", fontSize: "12px" },
    x: scale(figure.x),
    y: scale(figure.y),
    ...(heat ? { color: { scheme: "cividis", ...(heat.domain ? { domain: heat.domain } : {}) } } : {}),
    marks,
  } as unknown as Parameters<Plot["plot"]>[0]);
  const svg = rendered as unknown as {
    setAttribute(name: string, value: string): void;
    removeAttribute(name: string): void;
    outerHTML: string;
  };
  svg.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  svg.removeAttribute("class");
  const addition = [
    `<rect width="100%" height="100%" fill="${PAPER}"/>`,
    text(16, 20, figure.title, 14, INK, 600),
    ...legendMarkup(legend.length > 1 ? legend : [], 40),
  ].join("");
  const noteMarkup = notes.map((line, i) => text(16, height + 14 + 16 * i, line, 11, MUTED, 400)).join("");
  const total = height + (notes.length > 0 ? 8 + 16 * notes.length : 0);
  return svg.outerHTML
    .replace(/(<svg[^>]*?) height="\d+"/, `$1 height="${total}"`)
    .replace(/viewBox="0 0 (\d+) \d+"/, `viewBox="0 0 $1 ${total}"`)
    .replace(/(<svg[^>]*>)(<style[^>]*>[\s\S]*?<\/style>)?/, `$1${addition}`)
    .replace(/<\/svg>\s*$/, `${noteMarkup}</svg>`)
    .replaceAll('font-variant="tabular-nums"', 'font-variant-numeric="tabular-nums"')
    .replaceAll("var(--plot-background)", PAPER);
}

function cut(label: string): string {
  return label.length > LONGEST_LABEL ? `${label.slice(0, LONGEST_LABEL - 1)}…` : label;
}

function categoryNames(figure: Figure): string[] {
  return (
    figure.y.categories ??
    (figure.marks.flatMap((m) => ("y" in m ? (m.y as unknown[]).filter((v) => typeof v === "string") : [])) as string[])
  );
}

function scale(axis: Figure["x"]): Record<string, unknown> {
  return {
    label: axis.bare ? null : axisTitle(axis),
    labelAnchor: "center",
    labelArrow: "none",
    grid: !axis.bare && axis.scale !== "category",
    ...(axis.scale === "log" ? { type: "log" } : {}),
    ...(axis.scale === "category"
      ? { type: "point", ...(axis.categories ? { domain: axis.categories } : {}), label: null }
      : {}),
    ...(axis.domain ? { domain: axis.domain } : axis.scale === "category" ? {} : { nice: true }),
    ...(axis.bare ? { axis: null } : {}),
    ...(axis.scale === "category" ? { tickFormat: (name: string) => cut(name) } : {}),
    tickSize: 4,
    line: !axis.bare,
  };
}

function draw(plot: Plot, mark: Mark, slot: Slot): Markish[] {
  const { color, dash } = SLOTS[slot];
  switch (mark.kind) {
    case "line": {
      const rows = thin(mark.x.map((x, i) => ({ x, y: mark.y[i] })));
      return [
        plot.line(rows, {
          x: "x",
          y: "y",
          stroke: color,
          strokeWidth: mark.width ?? 2,
          strokeOpacity: mark.opacity ?? (mark.ghost ? 0.25 : 1),
          strokeDasharray: dash.replaceAll(",", " "),
        }),
      ];
    }
    case "points":
      return [
        plot.dot(thin(mark.x.map((x, i) => ({ x, y: mark.y[i] }))), {
          x: "x",
          y: "y",
          fill: color,
          fillOpacity: mark.opacity ?? 1,
          r: (mark.size ?? 7) / 2,
          symbol: SYMBOLS[slot] as never,
        }),
      ];
    case "intervals": {
      const rows = mark.x.map((x, i) => ({ x, y: mark.y[i], low: mark.low[i], high: mark.high[i] }));
      const bar =
        mark.along === "x"
          ? plot.link(rows, { x1: "low", x2: "high", y1: "y", y2: "y", stroke: color, strokeWidth: 1.5 })
          : plot.link(rows, { x1: "x", x2: "x", y1: "low", y2: "high", stroke: color, strokeWidth: 1.5 });
      return [bar, plot.dot(rows, { x: "x", y: "y", fill: color, r: 4.5, symbol: SYMBOLS[slot] as never })];
    }
    case "bars":
      return [
        plot.barY(
          mark.x.map((x, i) => ({ x, y: mark.y[i] })),
          { x: "x", y: "y", fill: color },
        ),
      ];
    case "rule":
      return mark.along === "x"
        ? [
            plot.ruleY([mark.value], { stroke: MUTED, strokeDasharray: "4 4" }),
            plot.text([mark.label], { y: mark.value, frameAnchor: "right", dy: -7, dx: -2, fill: MUTED, fontSize: 11 }),
          ]
        : [
            plot.ruleX([mark.value], { stroke: MUTED, strokeDasharray: "4 4" }),
            plot.text([mark.label], {
              x: mark.value,
              frameAnchor: "top",
              dx: 4,
              dy: 2,
              textAnchor: "start",
              fill: MUTED,
              fontSize: 11,
            }),
          ];
    case "heat":
      return [
        plot.raster(mark.values.flat(), {
          width: mark.x.length,
          height: mark.y.length,
          imageRendering: "pixelated",
        } as never),
      ];
    default:
      return mark satisfies never;
  }
}

/** Observable Plot's symbols, nearest to the slots' markers. */
const SYMBOLS: Readonly<Record<Slot, string>> = {
  1: "circle",
  2: "triangle",
  3: "square",
  4: "diamond",
  5: "cross",
  6: "wye",
  7: "star",
  8: "hexagon",
};

/** Keeps first, last and evenly spaced rows between. */
function thin<T>(rows: T[]): T[] {
  if (rows.length <= MOST_POINTS) return rows;
  const step = (rows.length - 1) / (MOST_POINTS - 1);
  return Array.from({ length: MOST_POINTS }, (_, i) => rows[Math.round(i * step)] as T);
}

function legendMarkup(entries: { name: string; slot: Slot }[], y: number): string[] {
  let x = 16;
  return entries.map(({ name, slot }) => {
    const { color, dash } = SLOTS[slot];
    const markup = `<line x1="${x}" x2="${x + 20}" y1="${y - 4}" y2="${y - 4}" stroke="${color}" stroke-width="3" stroke-dasharray="${dash}"/>${text(x + 26, y, name, 11, MUTED, 400)}`;
    x += 26 + 6.4 * name.length + 18;
    return markup;
  });
}

function text(x: number, y: number, content: string, size: number, fill: string, weight: number): string {
  const escaped = content.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
  return `<text x="${x}" y="${y}" fill="${fill}" font-size="${size}" font-weight="${weight}" text-anchor="start" font-family="system-ui, sans-serif">${escaped}</text>`;
}
