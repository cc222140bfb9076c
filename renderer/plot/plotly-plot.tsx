/**
 * A Plotly figure in the page's theme. The library is a chunk of its own, loaded when the first plot is shown; its strict
 * build needs no eval, so that WebGL traces work under the page's policy.
 */
import { useEffect, useMemo, useRef, useState } from "react";
import { FigureFrame } from "./figure-frame.tsx";
import { describePlotly, type PlotlyFigure, plotlyTable, themePlotly, titleText } from "./plotly-theme.ts";
import { usePlotTheme } from "./theme.ts";

interface Plotly {
  react(element: HTMLElement, data: unknown[], layout: unknown, config: unknown): Promise<unknown>;
  purge(element: HTMLElement): void;
  toImage(
    element: HTMLElement,
    options: { format: "png" | "svg"; width: number; height: number; scale?: number },
  ): Promise<string>;
  Plots: { resize(element: HTMLElement): void };
}

let loading: Promise<Plotly> | undefined;
function loadPlotly(): Promise<Plotly> {
  loading ??= import("plotly.js-strict-dist-min").then(
    (module) => (module as { default?: Plotly }).default ?? (module as unknown as Plotly),
    (error: unknown) => {
      loading = undefined;
      throw error;
    },
  );
  return loading;
}

const CONFIG = {
  displaylogo: false,
  responsive: false,
  displayModeBar: "hover",
  modeBarButtonsToRemove: ["toImage", "sendDataToCloud", "autoScale2d"],
  showTips: false,
  // Plotly's own links and editors would leave the page.
  showLink: false,
  plotlyServerURL: "",
};

export function PlotlyPlot({ figure, onFailed }: { figure: PlotlyFigure; onFailed?: (reason: string) => void }) {
  const box = useRef<HTMLDivElement>(null);
  const theme = usePlotTheme();
  const [problem, setProblem] = useState<string | null>(null);
  const [ready, setReady] = useState(false);
  const themed = useMemo(() => themePlotly(figure, theme), [figure, theme]);
  const height =
    typeof figure.layout?.height === "number" && figure.layout.height > 40 ? Math.min(1200, figure.layout.height) : 360;

  useEffect(() => {
    const element = box.current;
    if (!element) return;
    let gone = false;
    let plotly: Plotly | undefined;
    loadPlotly()
      .then(async (loaded) => {
        plotly = loaded;
        if (gone) return;
        await loaded.react(
          element,
          structuredClone(themed.data),
          { ...structuredClone(themed.layout), height, width: element.clientWidth || 640 },
          CONFIG,
        );
        if (!gone) setReady(true);
      })
      .catch((error: unknown) => {
        if (gone) return;
        const reason = error instanceof Error ? error.message : String(error);
        setProblem(reason);
        onFailed?.(reason);
      });
    const observer = new ResizeObserver(() => {
      if (plotly && element.isConnected && element.clientWidth > 40 && element.querySelector(".main-svg"))
        void plotly.react(
          element,
          structuredClone(themed.data),
          { ...structuredClone(themed.layout), height, width: element.clientWidth },
          CONFIG,
        );
    });
    observer.observe(element);
    return () => {
      gone = true;
      observer.disconnect();
    };
  }, [themed, height, onFailed]);

  useEffect(() => {
    const element = box.current;
    return () => {
      if (element) void loading?.then((plotly) => plotly.purge(element));
    };
  }, []);

  const label = titleText(figure.layout?.title) || "Plot";
  const picture = async (format: "png" | "svg"): Promise<Blob> => {
    const plotly = await loadPlotly();
    const element = box.current;
    if (!element) throw new Error("the plot is not on screen");
    const url = await plotly.toImage(element, {
      format,
      width: element.clientWidth || 640,
      height,
      scale: format === "png" ? 2 : 1,
    });
    return dataUrlBlob(url);
  };
  if (problem !== null)
    return (
      <p className="plot-wait" role="alert">
        The plot could not be drawn: {problem}.
      </p>
    );
  return (
    <FigureFrame
      label={label}
      exports={{
        fileName: label,
        png: () => picture("png"),
        svg: async () => (await picture("svg")).text(),
        table: () => plotlyTable(figure),
      }}
    >
      <figure
        className="plot-plotly"
        style={{ minHeight: height }}
        aria-label={describePlotly(figure)}
        aria-busy={!ready}
      >
        <div ref={box} />
      </figure>
    </FigureFrame>
  );
}

/** Decodes a data URL without fetch, which the page's policy may refuse. */
function dataUrlBlob(url: string): Blob {
  const comma = url.indexOf(",");
  const head = url.slice(5, comma);
  const body = url.slice(comma + 1);
  const [type = "application/octet-stream"] = head.split(";");
  if (!head.endsWith(";base64")) return new Blob([decodeURIComponent(body)], { type });
  const binary = atob(body);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < binary.length; i++) bytes[i] = binary.charCodeAt(i);
  return new Blob([bytes], { type });
}
