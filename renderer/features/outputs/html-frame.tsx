/**
 * HTML from a notebook, in a frame of its own: an opaque origin (sandbox without allow-same-origin), a policy without
 * network, sanitised markup. Its only script is ours, known by its hash, which reports the height and stops links.
 */
import DOMPurify from "dompurify";
import { useEffect, useMemo, useRef, useState } from "react";
import { type PlotTheme, usePlotTheme } from "../../plot/theme.ts";
import { FRAME_SCRIPT, FRAME_SCRIPT_HASH } from "./frame-script.ts";

const TALLEST = 640;

export function sanitiseHtml(html: string): string {
  return DOMPurify.sanitize(html, {
    WHOLE_DOCUMENT: true,
    ADD_TAGS: ["style"],
    FORBID_TAGS: ["script", "iframe", "object", "embed", "form", "meta", "base", "link", "frame", "frameset", "portal"],
    FORBID_ATTR: ["ping", "target", "srcset", "formaction"],
    ALLOW_DATA_ATTR: true,
  });
}

export function frameDocument(html: string, theme: PlotTheme): string {
  const policy = `default-src 'none'; script-src '${FRAME_SCRIPT_HASH}'; style-src 'unsafe-inline'; img-src data: blob:; font-src data:; media-src data:; form-action 'none'; base-uri 'none'`;
  const look = `html{color-scheme:${theme.name};height:auto}body{margin:0;padding:2px 0 6px;font:400 13px/20px ${theme.font.replaceAll('"', "'")};color:${theme.text};background:${theme.bg};overflow-wrap:anywhere}table{border-collapse:collapse;font-variant-numeric:tabular-nums}th,td{padding:4px 10px;border-bottom:1px solid ${theme.border};text-align:left}th{font-weight:500;background:${theme.sunken}}td:is([align=right],.number){text-align:right}a{color:${theme.accent}}img,svg,video{max-width:100%}pre,code{font-family:ui-monospace,Menlo,Consolas,monospace}`;
  return `<!doctype html><html><head><meta charset="utf-8"><meta http-equiv="Content-Security-Policy" content="${policy}"><style>${look}</style><script>${FRAME_SCRIPT}</script></head><body>${sanitiseHtml(html)}</body></html>`;
}

export function HtmlFrame({ html, name }: { html: string; name: string }) {
  const frame = useRef<HTMLIFrameElement>(null);
  const theme = usePlotTheme();
  const [height, setHeight] = useState<number | null>(null);
  const source = useMemo(() => frameDocument(html, theme), [html, theme]);
  const scripts = useMemo(() => /<script[\s>]/i.test(html), [html]);

  useEffect(() => {
    const onMessage = (event: MessageEvent) => {
      if (event.source === null || event.source !== frame.current?.contentWindow) return;
      const value = (event.data as { parallaxFrameHeight?: unknown } | null)?.parallaxFrameHeight;
      if (typeof value === "number" && Number.isFinite(value)) setHeight(Math.max(20, Math.min(100_000, value)));
    };
    addEventListener("message", onMessage);
    // Where the policy of the page stops even our script, the frame scrolls at a fixed height.
    const fallback = setTimeout(() => setHeight((now) => now ?? 240), 1500);
    return () => {
      removeEventListener("message", onMessage);
      clearTimeout(fallback);
    };
  }, []);

  return (
    <div className="out-html">
      <iframe
        ref={frame}
        className="out-frame"
        title={name}
        sandbox="allow-scripts"
        referrerPolicy="no-referrer"
        srcDoc={source}
        style={{ height: Math.min(TALLEST, height ?? 40) }}
      />
      {scripts && <p className="out-note">Scripts in this HTML output were not run.</p>}
    </div>
  );
}
