import { expect, it } from "vitest";
import type { CellState } from "../../../kernels/protocol/host-methods.ts";
import { cellName, stateWords } from "../../../renderer/features/notebook/cell-words.ts";
import { highlight } from "../../../renderer/features/notebook/highlight.ts";
import { describeJob } from "../../../renderer/ui/job-text.ts";
import { keyText } from "../../../renderer/ui/kbd.tsx";
import { formatAge, formatBytes, formatDuration } from "../../../renderer/ui/units.ts";

const state = (more: Partial<CellState>): CellState => ({
  cellId: "c",
  state: "idle",
  position: null,
  startedAt: null,
  elapsedMs: null,
  stale: null,
  ...more,
});

it("says each state in glyph and word", () => {
  const said = (more: Partial<CellState>, count: number | null = 3) => {
    const { glyph, word } = stateWords(state(more), count, more.elapsedMs ?? null);
    return `${glyph} ${word}`.trim();
  };
  expect([
    said({}, null),
    said({}),
    said({ state: "queued", position: 2 }),
    said({ state: "running", elapsedMs: 12_000 }),
    said({ state: "done", elapsedMs: 1400 }),
    said({ state: "done", elapsedMs: 1400, stale: "x" }),
    said({ state: "failed", elapsedMs: 20 }),
    said({ state: "stopped" }),
  ]).toEqual([
    "",
    "○ idle",
    "◌ queued 2",
    "◐ running 12 s",
    "✓ done 1.4 s",
    "≠ stale 1.4 s",
    "✕ failed 20 ms",
    "■ stopped",
  ]);
});

it("names cells for the ear", () => {
  const cell = { id: "c", cell_type: "code" as const, source: "", metadata: {} };
  expect(cellName(cell, 4, state({ state: "done", elapsedMs: 1400, stale: "x" }))).toBe(
    "Code cell 4, stale, last run 1.4 seconds",
  );
  expect(cellName({ ...cell, cell_type: "markdown", source: "## Prompts\n\nx" }, 2, state({}))).toBe(
    "Text cell 2, Prompts",
  );
});

it("colours code without losing a character", () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: code as text
  const code = 'const a = `x ${1}` + "y\\"z"; // end\n/* open';
  const tokens = highlight(code);
  expect(tokens.map((token) => token.text).join("")).toBe(code);
  expect(tokens.filter((token) => token.role === "keyword").map((token) => token.text)).toEqual(["const"]);
  expect(tokens.at(-1)).toEqual({ role: "comment", text: "/* open" });
});

it("writes amounts with their units", () => {
  expect([formatBytes(307_200), formatBytes(1.2 * 2 ** 30), formatBytes(12)]).toEqual(["300 KiB", "1.2 GiB", "12 B"]);
  expect([12, 440, 12_000, 185_000, 7_800_000].map(formatDuration)).toEqual([
    "12 ms",
    "0.4 s",
    "12 s",
    "3 min 5 s",
    "2 h 10 min",
  ]);
  const now = Date.parse("2026-01-10T12:00:00Z");
  expect(
    ["2026-01-10T11:59:40Z", "2026-01-10T10:00:00Z", "2026-01-09T10:00:00Z", "2025-11-01T10:00:00Z"].map((at) =>
      formatAge(at, now),
    ),
  ).toEqual(["just now", "2 h ago", "yesterday", "2025-11-01"]);
  expect(
    describeJob({ stage: "Encoding", done: 420, total: 1000, unit: "texts", rate: 610, etaMs: 38_000, note: null }),
  ).toBe("Encoding · 420 of 1,000 texts · 610 texts/s · 38 s left");
});

it("writes keys as the system does", () => {
  expect([
    keyText("Mod+Shift+S", false),
    keyText("Mod+Shift+S", true),
    keyText("D D", false),
    keyText("Ctrl+Shift+ArrowUp", false),
  ]).toEqual(["Ctrl+Shift+S", "⌘⇧S", "D D", "Ctrl+Shift+↑"]);
});
