/**
 * Keys as text: "Shift+Enter", "Mod+S", "D D" (two presses). `Mod` is ⌘ on macOS and Ctrl elsewhere; `Ctrl` is the
 * Ctrl key everywhere, which elsewhere is the same as Mod.
 */

/** The part of a KeyboardEvent that matters. */
export interface KeyPress {
  key: string;
  code: string;
  ctrlKey: boolean;
  metaKey: boolean;
  altKey: boolean;
  shiftKey: boolean;
}

/** Second press of a sequence such as D D must come within this time. */
export const SEQUENCE_MS = 800;

/** Keys whose character changes with Shift, but which are named by what is printed below. */
const BY_CODE: Record<string, string> = { Minus: "-" };

/** The press in the same form as the table writes it; null for a modifier alone. */
export function chordOf(press: KeyPress, mac: boolean): string | null {
  if (["Shift", "Control", "Alt", "Meta", "CapsLock", "Dead"].includes(press.key)) return null;
  let key = press.key === " " ? "Space" : press.key;
  let shift = press.shiftKey;
  const letter = /^Key([A-Z])$/.exec(press.code)?.[1];
  // Other alphabets and Alt-composed characters: the place on the keyboard decides.
  if (letter !== undefined && (!/^[a-z]$/i.test(key) || press.altKey)) key = letter;
  if (BY_CODE[press.code] !== undefined && (press.ctrlKey || press.metaKey)) key = BY_CODE[press.code] as string;
  else if (key.length === 1 && !/^[a-z0-9]$/i.test(key)) shift = false; // "?" already says that Shift was held
  if (key.length === 1) key = key.toUpperCase();
  const mod = mac ? press.metaKey : press.ctrlKey;
  const parts: string[] = [];
  if (mod) parts.push("Mod");
  if (mac && press.ctrlKey) parts.push("Ctrl");
  if (press.altKey) parts.push("Alt");
  if (shift) parts.push("Shift");
  parts.push(key);
  return parts.join("+");
}

/** A line of the table in the form of `chordOf` on this system: one chord a press. */
export function chordsOf(keys: string, mac: boolean): string[] {
  return keys.split(" ").map((chord) => {
    const parts = chord.split(/\+(?=.)/);
    const key = parts.pop() as string;
    const named = parts.map((part) => (part === "Ctrl" && !mac ? "Mod" : part));
    return [...["Mod", "Ctrl", "Alt", "Shift"].filter((part) => named.includes(part)), key].join("+");
  });
}

export interface Binding<T> {
  keys: string;
  value: T;
}

/** Finds what a press means, and remembers the first press of a sequence. */
export class KeyResolver {
  #first: { chord: string; at: number } | null = null;
  readonly mac: boolean;

  constructor(mac: boolean) {
    this.mac = mac;
  }

  /**
   * @param bindings those that may fire here and now
   * @returns the value of the binding; "pending" after the first press of a sequence; null when nothing matches
   */
  resolve<T>(press: KeyPress, bindings: readonly Binding<T>[], now: number): T | "pending" | null {
    const chord = chordOf(press, this.mac);
    if (chord === null) return null;
    const first = this.#first !== null && now - this.#first.at <= SEQUENCE_MS ? this.#first.chord : null;
    this.#first = null;
    let pending = false;
    let single: Binding<T> | null = null;
    for (const binding of bindings) {
      const chords = chordsOf(binding.keys, this.mac);
      if (chords.length === 1 && chords[0] === chord) single ??= binding;
      if (chords.length !== 2) continue;
      if (first !== null && chords[0] === first && chords[1] === chord) return binding.value;
      if (chords[0] === chord) pending = true;
    }
    if (single) return single.value;
    if (!pending) return null;
    this.#first = { chord, at: now };
    return "pending";
  }
}
