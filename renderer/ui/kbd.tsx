import "./ui.css";

export const isMac = typeof navigator !== "undefined" && /Mac|iP(hone|ad)/.test(navigator.platform);

const MAC: Record<string, string> = { Mod: "⌘", Shift: "⇧", Alt: "⌥", Ctrl: "⌃", Enter: "↩" };
const PC: Record<string, string> = { Mod: "Ctrl" };
const ARROWS: Record<string, string> = { ArrowUp: "↑", ArrowDown: "↓", ArrowLeft: "←", ArrowRight: "→" };

/** "Mod+Shift+K" as people write it on this system; "D D" is two presses. */
export function keyText(keys: string, mac: boolean = isMac): string {
  return keys
    .split(" ")
    .map((chord) =>
      chord
        .split(/\+(?=.)/)
        .map((part) => ARROWS[part] ?? (mac ? MAC[part] : PC[part]) ?? part)
        .join(mac ? "" : "+"),
    )
    .join(" ");
}

export function Kbd({ keys }: { keys: string }) {
  return <kbd className="kbd">{keyText(keys)}</kbd>;
}
