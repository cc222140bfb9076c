/** `plot(figure)`: any figure as a cell's output. */
import { figureBundle } from "../figure/bundle.ts";
import type { Figure } from "../figure/figure.ts";
import { DISPLAY, type Displayable, type MimeBundle } from "../protocol/display.ts";

export type {
  Axis,
  BarsMark,
  Figure,
  HeatMark,
  IntervalsMark,
  LineMark,
  Mark,
  PointsMark,
  RuleMark,
} from "../figure/figure.ts";

/**
 * Shows a figure: lines, points, intervals, bars, rules, heat.
 *
 * @example
 * plot({ title: "Loss", x: { label: "step" }, y: { label: "loss", unit: "nats" }, marks: [{ kind: "line", name: "loss", x, y }] })
 */
export function plot(figure: Figure): Displayable & { figure: Figure } {
  return { figure, [DISPLAY]: (): Promise<MimeBundle> => figureBundle(figure) };
}
