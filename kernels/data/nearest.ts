/** Guessing what a mistyped name meant. */

/** Edits (insert, delete, replace) between two names, upper and lower case alike. O(a·b) time. */
function edits(a: string, b: string): number {
  const [x, y] = [a.toLowerCase(), b.toLowerCase()];
  let previous = Array.from({ length: y.length + 1 }, (_, j) => j);
  for (let i = 1; i <= x.length; i++) {
    const current = [i];
    for (let j = 1; j <= y.length; j++)
      current.push(Math.min(previous[j]! + 1, current[j - 1]! + 1, previous[j - 1]! + (x[i - 1] === y[j - 1] ? 0 : 1)));
    previous = current;
  }
  return previous[y.length]!;
}

/**
 * The name that was probably meant.
 *
 * @param wanted what was asked for.
 * @param names  what exists.
 * @returns the nearest name by edits, or one that contains (or is contained in) the wanted one; undefined when none is near.
 * Cost: O(names · length²); names over 200 characters are not looked at.
 */
export function nearestName(wanted: string, names: readonly string[]): string | undefined {
  let best: string | undefined;
  let least = Number.POSITIVE_INFINITY;
  const lower = wanted.toLowerCase();
  for (const name of names) {
    if (name.length === 0 || name.length > 200 || wanted.length > 200) continue;
    const inside = name.toLowerCase().includes(lower) || lower.includes(name.toLowerCase());
    const distance = edits(wanted, name);
    // Up to a third of the name may differ; a part of it ("score" for "cosine_score") counts as near, too.
    const near =
      distance <= Math.max(1, Math.floor(Math.max(name.length, wanted.length) / 3)) || (inside && wanted.length > 1);
    if (near && distance < least) [best, least] = [name, distance];
  }
  return best;
}
