/** Which of the eight category slots a label gets. */

export interface Category {
  name: string;
  /** 1 to 8, or 0 for "other". */
  slot: number;
  count: number;
}

export interface CategoryAssignment {
  categories: Category[];
  /** Index into `categories` per item. */
  of: Uint16Array;
}

const collator = new Intl.Collator("en", { numeric: true });

/**
 * Up to eight labels keep a slot each, in alphabetical order so that a label keeps its colour between plots. With more,
 * the seven largest keep slots 1 to 7 and the rest become "other" (slot 0).
 */
export function assignCategories(labels: readonly string[]): CategoryAssignment {
  const counts = new Map<string, number>();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  const bySize = [...counts].sort((a, b) => b[1] - a[1] || collator.compare(a[0], b[0]));
  const kept = bySize.slice(0, counts.size > 8 ? 7 : 8).sort((a, b) => collator.compare(a[0], b[0]));
  const categories: Category[] = kept.map(([name, count], i) => ({ name, slot: i + 1, count }));
  const index = new Map(kept.map(([name], i) => [name, i]));
  const rest = bySize.slice(kept.length);
  if (rest.length > 0)
    categories.push({
      name: `other (${rest.length} labels)`,
      slot: 0,
      count: rest.reduce((sum, [, count]) => sum + count, 0),
    });
  const of = new Uint16Array(labels.length);
  for (let i = 0; i < labels.length; i++) of[i] = index.get(labels[i]!) ?? categories.length - 1;
  return { categories, of };
}
