/** Terminal text: colours and weights of SGR sequences, and carriage returns as terminals treat them. */

export interface AnsiStyle {
  /** 0 to 15, or null for the page's own colour. */
  colour: number | null;
  background: number | null;
  bold: boolean;
  faint: boolean;
  italic: boolean;
  underline: boolean;
  inverse: boolean;
}
export interface AnsiSpan {
  text: string;
  style: AnsiStyle;
}

export const PLAIN: AnsiStyle = {
  colour: null,
  background: null,
  bold: false,
  faint: false,
  italic: false,
  underline: false,
  inverse: false,
};

// biome-ignore lint/suspicious/noControlCharactersInRegex: escape sequences are control characters
const SEQUENCE = /\u001b(?:\[([0-9;:]*)([@-~])|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-Z\\-_])/g;
// biome-ignore lint/suspicious/noControlCharactersInRegex: what a terminal would not print
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f]/g;

export const hasEscapes = (text: string): boolean => text.includes("\u001b");

export function stripAnsi(text: string): string {
  return text.replace(SEQUENCE, "").replace(CONTROL, "");
}

/** Spans of one line, and the style that the next line starts with. */
export function parseAnsi(line: string, start: AnsiStyle = PLAIN): { spans: AnsiSpan[]; end: AnsiStyle } {
  const spans: AnsiSpan[] = [];
  let style = start;
  let at = 0;
  const push = (text: string) => {
    const clean = text.replace(CONTROL, "");
    if (clean !== "") spans.push({ text: clean, style });
  };
  for (const match of line.matchAll(SEQUENCE)) {
    push(line.slice(at, match.index));
    at = match.index + match[0].length;
    if (match[2] === "m") style = applySgr(style, match[1] ?? "");
  }
  push(line.slice(at));
  return { spans, end: style };
}

function applySgr(before: AnsiStyle, parameters: string): AnsiStyle {
  let style = { ...before };
  const codes = parameters === "" ? [0] : parameters.split(/[;:]/).map((part) => Number(part || 0));
  for (let i = 0; i < codes.length; i++) {
    const code = codes[i]!;
    if (code === 0) style = { ...PLAIN };
    else if (code === 1) style.bold = true;
    else if (code === 2) style.faint = true;
    else if (code === 3) style.italic = true;
    else if (code === 4) style.underline = true;
    else if (code === 7) style.inverse = true;
    else if (code === 22) style = { ...style, bold: false, faint: false };
    else if (code === 23) style.italic = false;
    else if (code === 24) style.underline = false;
    else if (code === 27) style.inverse = false;
    else if (code >= 30 && code <= 37) style.colour = code - 30;
    else if (code === 39) style.colour = null;
    else if (code >= 40 && code <= 47) style.background = code - 40;
    else if (code === 49) style.background = null;
    else if (code >= 90 && code <= 97) style.colour = code - 82;
    else if (code >= 100 && code <= 107) style.background = code - 92;
    else if (code === 38 || code === 48) {
      // 256 colours and true colour are mapped to the nearest of the sixteen, which are checked for contrast.
      const colour =
        codes[i + 1] === 5
          ? from256(codes[i + 2] ?? 0)
          : codes[i + 1] === 2
            ? nearest(codes[i + 2] ?? 0, codes[i + 3] ?? 0, codes[i + 4] ?? 0)
            : null;
      i += codes[i + 1] === 5 ? 2 : codes[i + 1] === 2 ? 4 : 0;
      if (code === 38) style.colour = colour;
      else style.background = colour;
    }
  }
  return style;
}

function from256(n: number): number {
  if (n < 16) return n;
  if (n >= 232) return n < 244 ? 8 : 7;
  const c = n - 16;
  return nearest(Math.floor(c / 36) * 51, (Math.floor(c / 6) % 6) * 51, (c % 6) * 51);
}

function nearest(r: number, g: number, b: number): number {
  const most = Math.max(r, g, b);
  if (most < 48) return 0;
  const bit = (v: number) => (v > most * 0.6 ? 1 : 0);
  return bit(r) + 2 * bit(g) + 4 * bit(b) + (most > 200 ? 8 : 0);
}

/** What a terminal shows of a line with carriage returns: later text overwrites from the start. */
export function overwrite(line: string): string {
  if (!line.includes("\r")) return line;
  const parts = line.replace(/\r+$/, "").split("\r");
  if (parts.length === 1) return parts[0]!;
  if (parts.some(hasEscapes)) return parts.at(-1)!;
  let shown = "";
  for (const part of parts) shown = part + shown.slice(part.length);
  return shown;
}
