/** Pairs from labelled texts. Rows of every other kind are read in read-rows.ts. */
import { ParallaxError } from "../protocol/errors.ts";
import { Random } from "./prng.ts";
import { checkedRow, type RowNames } from "./read-rows.ts";
import type { TrainingRow } from "./rows.ts";

/** Two texts that belong together, and what else a row may hold. */
export type Pair = TrainingRow;

const NAMES: RowNames = { anchor: "text", positive: "text" };

/**
 * Pairs from labelled texts: each text once as an anchor, with another text of its label drawn at random; the label is
 * the group, so a batch holds one pair a label and no false negatives. A label with one text gives no pair.
 *
 * @param texts, labels of equal length. @param seed of the draws (Random(seed, "labels")). Default 0.
 * @throws {ParallaxError} train.bad-pair, train.too-few-pairs when no label has two texts
 */
export function pairsByLabel(texts: readonly unknown[], labels: readonly unknown[], seed = 0): Pair[] {
  if (texts.length !== labels.length)
    throw new ParallaxError(
      "train.bad-pair",
      `There are ${texts.length} texts and ${labels.length} labels. Nothing was started.`,
      {
        hint: "Give one label a text.",
      },
    );
  const byLabel = new Map<string, number[]>();
  labels.forEach((label, row) => {
    const key = String(label);
    const rows = byLabel.get(key);
    if (rows === undefined) byLabel.set(key, [row]);
    else rows.push(row);
  });
  const random = new Random(seed, "labels");
  const pairs = texts.flatMap((text, row): Pair[] => {
    const same = byLabel.get(String(labels[row]))!;
    if (same.length < 2) return [];
    const place = random.below(same.length - 1);
    const other = same[place] === row ? same[same.length - 1]! : same[place]!;
    return [checkedRow({ anchor: text, positive: texts[other], group: labels[row] }, row, NAMES)];
  });
  if (pairs.length === 0)
    throw new ParallaxError(
      "train.too-few-pairs",
      `No label of the ${byLabel.size} has two texts, so there are no pairs. Nothing was started.`,
      {
        hint: "Check that the column of labels holds classes, not identifiers.",
      },
    );
  return pairs;
}
