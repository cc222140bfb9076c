import { createHash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { FRAME_SCRIPT_HASH as SENT_HASH } from "../../../main/host/page-policy.ts";
import { hasEscapes, overwrite, PLAIN, parseAnsi, stripAnsi } from "../../../renderer/features/outputs/ansi.ts";
import { FRAME_SCRIPT, FRAME_SCRIPT_HASH } from "../../../renderer/features/outputs/frame-script.ts";
import { LineIndex } from "../../../renderer/features/outputs/line-index.ts";

describe("terminal text", () => {
  it("turns SGR sequences into spans and drops the others", () => {
    const { spans, end } = parseAnsi(
      "a\u001b[1;31mb\u001b[0m\u001b[2Kc\u001b]0;title\u0007\u001b[38;5;196md\u001b[38;2;10;200;30me\u001b[7mf",
    );
    expect(spans.map((span) => [span.text, span.style.colour, span.style.bold])).toEqual([
      ["a", null, false],
      ["b", 1, true],
      ["c", null, false],
      ["d", 9, false],
      ["e", 2, false],
      ["f", 2, false],
    ]);
    expect(end.inverse).toBe(true);
  });

  it("carries a style over a line end and ends it at reset", () => {
    const first = parseAnsi("\u001b[32mgreen");
    expect(parseAnsi("still\u001b[0m not", first.end).spans.map((s) => [s.text, s.style.colour])).toEqual([
      ["still", 2],
      [" not", null],
    ]);
  });

  it("shows what a terminal shows after carriage returns", () => {
    expect(overwrite(" 10%\r 50%\r100%")).toBe("100%");
    expect(overwrite("long line\rab")).toBe("abng line");
    expect(overwrite("windows\r")).toBe("windows");
  });

  it("strips escapes and control characters from a foreign message", () => {
    expect(stripAnsi("\u001b[0;31mZero\u001b[0m\u0000\u0008Division")).toBe("ZeroDivision");
    expect(hasEscapes("plain")).toBe(false);
  });
});

describe("lines of a growing text", () => {
  it("finds lines, and the same ones when the text comes in pieces", () => {
    const whole = Array.from({ length: 5000 }, (_, i) => `line ${i}`).join("\n");
    const grown = new LineIndex();
    for (let at = 0; at < whole.length; at += 997) grown.update(whole.slice(0, at + 997));
    const once = new LineIndex().update(whole);
    expect(grown.count).toBe(5000);
    expect(Array.from({ length: 5000 }, (_, i) => grown.line(i))).toEqual(
      Array.from({ length: 5000 }, (_, i) => once.line(i)),
    );
    expect(grown.slice(1, 3)).toBe("line 1\nline 2\n");
  });

  it("starts again when the text was replaced", () => {
    const index = new LineIndex().update("a\nb\nc");
    expect(index.update("x\ny").count).toBe(2);
    expect(index.line(1)).toBe("y");
    expect(index.update("").count).toBe(0);
  });

  it("does not count an empty last line and knows the style a line starts with", () => {
    const index = new LineIndex().update("a\n\u001b[31mred\nstill\n");
    expect(index.count).toBe(3);
    expect(index.styleAt(1)).toEqual(PLAIN);
    expect(index.styleAt(2).colour).toBe(1);
  });
});

it("names the frame's script by its hash, here and in the policy of the page", () => {
  const hash = `sha256-${createHash("sha256").update(FRAME_SCRIPT).digest("base64")}`;
  expect([FRAME_SCRIPT_HASH, SENT_HASH]).toEqual([hash, hash]);
});
