/** Which texts a prompt moved: by result and by direction. */
import { type Measured, type PreparedTask, unitGain } from "../evaluate/measure.ts";
import type { VectorStore } from "../evaluate/vector-store.ts";
import type { MovedText } from "../protocol/results.ts";
import type { NamedPrompt } from "./prompt-set.ts";

const LONGEST_TEXT = 400;

/**
 * The units that a prompt helped and hurt most, each with the cosine of its vector before and after.
 *
 * The cosine is taken after the mean vector of all units under each prompt is removed: a prompt that moves every text by
 * the same step has moved none of them relative to the others. For pairs it is the mean over both texts.
 *
 * @param most how many helped and how many hurt units at most.
 * @returns largest change first; units without a change are left out.
 */
export function movedTexts(
  prepared: PreparedTask,
  store: VectorStore,
  base: { prompt: NamedPrompt; measured: Measured },
  other: { prompt: NamedPrompt; measured: Measured },
  most: number,
): MovedText[] {
  const { gain, words } = unitGain(base.measured, other.measured);
  const rows = Array.from(gain.keys());
  const helped = rows.filter((i) => gain[i]! > 0).sort((i, j) => gain[j]! - gain[i]! || i - j);
  const hurt = rows.filter((i) => gain[i]! < 0).sort((i, j) => gain[i]! - gain[j]! || i - j);
  const chosen = [...helped.slice(0, most), ...hurt.slice(0, most)].sort(
    (i, j) => Math.abs(gain[j]!) - Math.abs(gain[i]!) || i - j,
  );
  if (chosen.length === 0) return [];
  const cosines = prepared.unitParts.map((part) => {
    const templates = [base, other].map(({ prompt }) => prompt.template[part.side]!);
    return templates[0] === templates[1]
      ? null
      : centredCosines(store, part.texts, templates[0]!, templates[1]!, chosen);
  });
  return chosen.map((row, k) => ({
    row,
    text: shorten(prepared.unitText(row)),
    prompt: other.prompt.name,
    cosine: cosines.reduce((sum, column) => sum + (column === null ? 1 : column[k]!), 0) / cosines.length,
    gain: gain[row]!,
    change: words(row),
  }));
}

/** Cosine of the two vectors of each chosen text, each prompt's mean over all texts removed. */
function centredCosines(
  store: VectorStore,
  texts: readonly string[],
  before: string,
  after: string,
  chosen: readonly number[],
): number[] {
  const d = store.dimensions;
  const [u, v] = [store.gather(texts, before, true), store.gather(texts, after, true)];
  const [mu, mv] = [meanRow(u, d), meanRow(v, d)];
  return chosen.map((row) => {
    let [uv, uu, vv] = [0, 0, 0];
    for (let j = 0; j < d; j++) {
      const [x, y] = [u[row * d + j]! - mu[j]!, v[row * d + j]! - mv[j]!];
      uv += x * y;
      uu += x * x;
      vv += y * y;
    }
    return uu === 0 || vv === 0 ? (uu === vv ? 1 : 0) : uv / Math.sqrt(uu * vv);
  });
}

function meanRow(data: Float32Array, d: number): Float64Array {
  const mean = new Float64Array(d);
  for (let i = 0; i < data.length; i++) mean[i % d]! += data[i]!;
  return mean.map((sum) => (sum * d) / data.length);
}

function shorten(text: string): string {
  const characters = text.length > 4 * LONGEST_TEXT ? [...text.slice(0, 4 * LONGEST_TEXT)] : [...text];
  return characters.length <= LONGEST_TEXT && text.length <= 4 * LONGEST_TEXT
    ? text
    : `${characters.slice(0, LONGEST_TEXT).join("")}…`;
}
