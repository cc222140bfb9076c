/** The editor in the page's own colours: read from the tokens, so no colour is defined here. */
import type * as Monaco from "monaco-editor/editor/editor.api.js";
import { currentTheme, readToken } from "../../../theme/theme.ts";

/** Roles of code, as tokens. highlight.css has the same table for code that is only shown. */
const ROLES: [scope: string, token: string, style?: string][] = [
  ["", "--text"],
  ["keyword", "--accent"],
  ["string", "--ok"],
  ["number", "--warn"],
  ["regexp", "--warn"],
  ["comment", "--text-faint", "italic"],
  ["type", "--text"],
  ["delimiter", "--text-muted"],
  ["tag", "--accent"],
  ["variable", "--accent"],
];

export function defineThemes(monaco: typeof Monaco): void {
  const color = (token: string, alpha = "") => `${readToken(token)}${alpha}`;
  const dark = currentTheme() === "dark";
  monaco.editor.defineTheme("parallax", {
    base: dark ? "vs-dark" : "vs",
    inherit: false,
    rules: ROLES.map(([token, name, fontStyle]) => ({
      token,
      foreground: readToken(name).slice(1),
      ...(fontStyle === undefined ? {} : { fontStyle }),
    })),
    colors: {
      "editor.background": color("--bg-sunken"),
      "editor.foreground": color("--text"),
      "editorCursor.foreground": color("--text"),
      "editorLineNumber.foreground": color("--text-faint"),
      "editorLineNumber.activeForeground": color("--text-muted"),
      "editor.selectionBackground": color("--accent", "40"),
      "editor.inactiveSelectionBackground": color("--accent", "20"),
      "editor.wordHighlightBackground": color("--accent", "1c"),
      "editor.wordHighlightStrongBackground": color("--accent", "2c"),
      "editor.findMatchBackground": color("--warn", "80"),
      "editor.findMatchHighlightBackground": color("--warn", "40"),
      "editorBracketMatch.background": color("--accent", "1c"),
      "editorBracketMatch.border": color("--border-strong"),
      "editorIndentGuide.background1": color("--border"),
      "editorError.foreground": color("--error"),
      "editorWarning.foreground": color("--warn"),
      "editorInfo.foreground": color("--accent"),
      "editorWidget.background": color("--bg-raised"),
      "editorWidget.foreground": color("--text"),
      "editorWidget.border": color("--border"),
      "editorHoverWidget.background": color("--bg-raised"),
      "editorHoverWidget.foreground": color("--text"),
      "editorHoverWidget.border": color("--border"),
      "editorSuggestWidget.background": color("--bg-raised"),
      "editorSuggestWidget.foreground": color("--text"),
      "editorSuggestWidget.border": color("--border"),
      "editorSuggestWidget.selectedBackground": color("--bg-selected"),
      "editorSuggestWidget.selectedForeground": color("--text"),
      "editorSuggestWidget.selectedIconForeground": color("--accent"),
      "editorSuggestWidget.highlightForeground": color("--accent"),
      "editorSuggestWidget.focusHighlightForeground": color("--accent"),
      "input.background": color("--bg"),
      "input.foreground": color("--text"),
      "input.border": color("--border-strong"),
      "menu.background": color("--bg-raised"),
      "menu.foreground": color("--text"),
      "menu.selectionBackground": color("--bg-hover"),
      "menu.selectionForeground": color("--text"),
      "menu.separatorBackground": color("--border"),
      "textLink.foreground": color("--accent"),
      "textLink.activeForeground": color("--accent"),
      "textCodeBlock.background": color("--bg-sunken"),
      "textPreformat.foreground": color("--text"),
      "scrollbarSlider.background": color("--border-strong", "60"),
      "scrollbarSlider.hoverBackground": color("--border-strong", "90"),
      "scrollbarSlider.activeBackground": color("--border-strong", "c0"),
      "widget.shadow": "#00000030",
      focusBorder: color("--focus"),
      "list.hoverBackground": color("--bg-hover"),
    },
  });
  monaco.editor.setTheme("parallax");
}
