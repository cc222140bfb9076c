/** Under which instruction each text of a row is encoded, and which texts count as right answers of a row. */
import { TEXT_PLACE } from "../encode/prompt-template.ts";
import type { TrainingRow } from "../train/rows.ts";
import { textKey } from "../train/text-key.ts";
import type { PromptedText } from "./text-vectors.ts";

export interface SidePrompts {
  /** Templates with {text}, "" for none. Rows with instructions of their own keep them. */
  anchor: string;
  positive: string;
}

export type Side = "anchor" | "positive" | "negative";

/** A text of a row with its template. Negatives are encoded as positives unless the row says otherwise. */
export function prompted(row: TrainingRow, side: Side, text: string, prompts: SidePrompts): PromptedText {
  const own = row.instructions?.[side];
  if (own === undefined) return { text, template: side === "anchor" ? prompts.anchor : prompts.positive };
  return { text, template: own.includes(TEXT_PLACE) ? own : `${own}${TEXT_PLACE}` };
}

/** What is right for an anchor anywhere in the rows: it must not become a negative, nor count in a rank. */
export class RightAnswers {
  readonly #byAnchor = new Map<string, Set<string>>();
  readonly #byGroup = new Map<string, Set<string>>();

  constructor(rows: readonly TrainingRow[]) {
    for (const { anchor, positive, group } of rows) {
      const [a, p] = [textKey(anchor), textKey(positive)];
      add(this.#byAnchor, a, p);
      // Two texts that belong together do so both ways.
      add(this.#byAnchor, p, a);
      if (group === undefined) continue;
      add(this.#byGroup, group, a);
      add(this.#byGroup, group, p);
    }
  }

  /** @param key textKey of a text. */
  has(row: TrainingRow, anchorKey: string, key: string): boolean {
    return (
      key === anchorKey ||
      this.#byAnchor.get(anchorKey)?.has(key) === true ||
      (row.group !== undefined && this.#byGroup.get(row.group)?.has(key) === true)
    );
  }

  /** How many texts are right for a row at most. */
  count(row: TrainingRow, anchorKey: string): number {
    const ofGroup = row.group === undefined ? 0 : (this.#byGroup.get(row.group)?.size ?? 0);
    return 1 + (this.#byAnchor.get(anchorKey)?.size ?? 0) + ofGroup;
  }
}

function add(map: Map<string, Set<string>>, key: string, value: string): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, new Set([value]));
  else known.add(value);
}

/** Texts that differ by textKey, the first of each, with its template. */
export function distinctTexts(texts: Iterable<PromptedText>): { texts: PromptedText[]; keys: string[] } {
  const seen = new Map<string, PromptedText>();
  for (const each of texts) {
    const key = textKey(each.text);
    if (key !== "" && !seen.has(key)) seen.set(key, each);
  }
  return { texts: [...seen.values()], keys: [...seen.keys()] };
}
