/** The names that tables of pairs usually give their two texts, the first that a table has counts. */
export const CUSTOMARY_PAIRS: readonly (readonly [anchor: string, positive: string])[] = [
  ["anchor", "positive"],
  ["sentence1", "sentence2"],
  ["query", "positive"],
  ["text1", "text2"],
  ["question1", "question2"],
  ["query", "passage"],
  ["query", "document"],
  ["question", "answer"],
];
