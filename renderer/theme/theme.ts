/** Applies theme and density to the document, and reads tokens as plain colours for canvas, Plotly and the editor. */
export type ThemeChoice = "system" | "light" | "dark";
export type Density = "comfortable" | "compact";
export type ThemeName = "light" | "dark";

const darkQuery = () => window.matchMedia("(prefers-color-scheme: dark)");

export function applyTheme(choice: ThemeChoice, density: Density): void {
  const html = document.documentElement;
  if (choice === "system") delete html.dataset.theme;
  else html.dataset.theme = choice;
  html.dataset.density = density;
  for (const listener of listeners) listener();
}

/** The theme that is shown now. */
export function currentTheme(): ThemeName {
  const set = document.documentElement.dataset.theme;
  if (set === "light" || set === "dark") return set;
  return darkQuery().matches ? "dark" : "light";
}

const listeners = new Set<() => void>();

/** Calls back whenever the shown theme may have changed. Returns a disposer. */
export function onThemeChange(listener: () => void): () => void {
  const query = darkQuery();
  listeners.add(listener);
  query.addEventListener("change", listener);
  return () => {
    listeners.delete(listener);
    query.removeEventListener("change", listener);
  };
}

let probe: HTMLElement | null = null;

/** A colour token such as "--accent" as "#rrggbb", in the theme shown now. */
export function readToken(token: string): string {
  if (!probe?.isConnected) {
    probe = document.createElement("span");
    probe.hidden = true;
    document.body.append(probe);
  }
  probe.style.color = `var(${token})`;
  const parts = getComputedStyle(probe)
    .color.match(/[\d.]+/g)
    ?.map(Number) ?? [0, 0, 0];
  const hex = parts.slice(0, 3).map((part) => Math.round(part).toString(16).padStart(2, "0"));
  return `#${hex.join("")}`;
}

export function prefersReducedMotion(): boolean {
  return window.matchMedia("(prefers-reduced-motion: reduce)").matches;
}
