/** What a cell printed. Short text as it is; past 400 lines the middle is folded, and unfolded it scrolls in a window. */
import { useVirtualizer } from "@tanstack/react-virtual";
import { memo, useRef, useState } from "react";
import { announce } from "../../ui/announce.ts";
import { Button } from "../../ui/button.tsx";
import { copyText, openText } from "../../ui/clipboard.ts";
import { formatCount } from "../../ui/numbers.ts";
import { type AnsiStyle, overwrite, parseAnsi } from "./ansi.ts";
import { LineIndex } from "./line-index.ts";

const FOLD_OVER = 400;
const HEAD = 300;
const TAIL = 100;
const LONGEST_LINE = 5000;
const LINE = 20;

interface Props {
  text: string;
  tone: "stdout" | "stderr" | "plain";
  label?: string;
}

export function StreamText({ text, tone, label = tone === "stderr" ? "Error stream" : "Printed text" }: Props) {
  const index = useRef(new LineIndex());
  const lines = index.current.update(text);
  const [open, setOpen] = useState(false);
  const { count } = lines;
  const className = `out-text ${tone === "stderr" ? "out-stderr" : ""}`;
  if (count <= FOLD_OVER)
    return (
      <section className={className} aria-label={label}>
        <Lines lines={lines} from={0} to={count} text={text} />
      </section>
    );
  const hidden = count - HEAD - TAIL;
  const bar = (
    <div className="out-fold">
      <span>
        {open ? `${formatCount(count)} lines` : `${formatCount(hidden)} of ${formatCount(count)} lines are folded`}
      </span>
      <Button size="small" tone="quiet" onClick={() => setOpen(!open)} aria-expanded={open}>
        {open ? "Fold" : "Show all"}
      </Button>
      <Button size="small" tone="quiet" onClick={() => openText(text, label)}>
        Open in tab
      </Button>
      <Button
        size="small"
        tone="quiet"
        onClick={() => {
          copyText(text).then(
            () => announce(`Copied ${formatCount(count)} lines.`),
            (error: unknown) => announce(`Not copied: ${String(error)}`),
          );
        }}
      >
        Copy all
      </Button>
    </div>
  );
  if (open)
    return (
      <section className={className} aria-label={label}>
        {bar}
        <AllLines lines={lines} text={text} label={label} />
      </section>
    );
  return (
    <section className={className} aria-label={label}>
      <Lines lines={lines} from={0} to={HEAD} text={lines.slice(0, HEAD)} />
      {bar}
      <Lines lines={lines} from={count - TAIL} to={count} text={lines.slice(count - TAIL, count)} />
    </section>
  );
}

/** `text` is what these lines hold: it tells the memo whether they changed; the lines come from the index. */
const Lines = memo(function Lines({ lines, from, to }: { lines: LineIndex; from: number; to: number; text: string }) {
  const out = [];
  for (let i = from; i < to; i++) out.push(<Line key={i} source={lines.line(i)} start={lines.styleAt(i)} />);
  return <pre className="out-pre">{out}</pre>;
});

function AllLines({ lines, text, label }: { lines: LineIndex; text: string; label: string }) {
  const box = useRef<HTMLElement>(null);
  const virtual = useVirtualizer({
    count: lines.count,
    getScrollElement: () => box.current,
    estimateSize: () => LINE,
    overscan: 20,
  });
  void text;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region is reached by keyboard
    <section ref={box} className="out-window" tabIndex={0} aria-label={`${label}, all lines`}>
      <pre className="out-pre" style={{ height: virtual.getTotalSize(), position: "relative" }}>
        {virtual.getVirtualItems().map((item) => (
          <div key={item.key} className="out-window-line" style={{ transform: `translateY(${item.start}px)` }}>
            <Line source={lines.line(item.index)} start={lines.styleAt(item.index)} />
          </div>
        ))}
      </pre>
    </section>
  );
}

function Line({ source, start }: { source: string; start: AnsiStyle }) {
  const shown = overwrite(source);
  const cut = shown.length > LONGEST_LINE;
  const { spans } = parseAnsi(cut ? shown.slice(0, LONGEST_LINE) : shown, start);
  return (
    <>
      {spans.map((span, i) => {
        const look = styleOf(span.style);
        return look === null ? (
          span.text
        ) : (
          // biome-ignore lint/suspicious/noArrayIndexKey: spans have no identity of their own
          <span key={i} {...look}>
            {span.text}
          </span>
        );
      })}
      {cut && <span className="out-cut">{`… ${formatCount(shown.length - LONGEST_LINE)} more characters`}</span>}
      {"\n"}
    </>
  );
}

function styleOf(style: AnsiStyle): { className: string } | null {
  const [front, back] = style.inverse
    ? [style.background ?? "bg", style.colour ?? "fg"]
    : [style.colour, style.background];
  const names: string[] = [];
  if (front !== null) names.push(`ansi-${front}`);
  if (back !== null) names.push(`ansi-back-${back}`);
  if (style.bold) names.push("ansi-bold");
  if (style.faint) names.push("ansi-faint");
  if (style.italic) names.push("ansi-italic");
  if (style.underline) names.push("ansi-underline");
  return names.length === 0 ? null : { className: names.join(" ") };
}
