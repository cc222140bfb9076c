/** A figure as a cell output: Plotly JSON for our page and Jupyter, SVG for GitHub and paper, words for a terminal. */
import { MIME, type MimeBundle } from "../protocol/display.ts";
import { describeFigure, type Figure } from "./figure.ts";
import { toPlotly } from "./plotly.ts";
import { toSvg } from "./svg.ts";

export async function figureBundle(figure: Figure): Promise<MimeBundle> {
  return {
    [MIME.plotly]: toPlotly(figure),
    [MIME.svg]: await toSvg(figure),
    [MIME.plain]: describeFigure(figure),
  };
}
