import type { ClassificationTask, RetrievalTask, StsTask } from "../../kernels/data/task-types.ts";

const WORDS =
  "red green blue fast slow cat dog tree river stone bread wine north south old new king queen road ship".split(" ");

/** Pairs that share from none to all of five words; the gold score is how many. */
export function wordPairs(n: number): StsTask {
  const pick = (i: number): string => WORDS[((i % WORDS.length) + WORDS.length) % WORDS.length]!;
  const a: string[] = [];
  const b: string[] = [];
  const gold: number[] = [];
  for (let i = 0; i < n; i++) {
    const shared = (i * 7) % 6;
    const first = [0, 1, 2, 3, 4].map((k) => pick(i * 3 + k));
    a.push(first.join(" "));
    b.push(first.map((word, k) => (k < shared ? word : pick(i * 3 + k + 9))).join(" "));
    gold.push(shared + ((i * 13) % 5) / 5);
  }
  return { type: "sts", name: "word pairs", a, b, gold };
}

/** Documents of four words; each query is two words of its document. */
export function wordSearch(n: number): RetrievalTask {
  const word = (i: number): string => `${WORDS[i % WORDS.length]!}${Math.floor(i / WORDS.length)}`;
  const documents = Array.from({ length: n }, (_, i) => ({
    id: `d${i}`,
    text: [i, i + 1, i + 2, 3 * i].map(word).join(" "),
  }));
  const queries = Array.from({ length: n }, (_, i) => ({ id: `q${i}`, text: [word(i), word(i + 1)].join(" ") }));
  return {
    type: "retrieval",
    name: "word search",
    queries,
    documents,
    relevant: new Map(queries.map(({ id }, i) => [id, new Map([[`d${i}`, 1]])])),
  };
}

export function wordClasses(n: number): ClassificationTask {
  const part = (offset: number): { texts: string[]; labels: string[] } => ({
    texts: Array.from(
      { length: n },
      (_, i) =>
        `${["cat dog", "tree river", "bread wine"][i % 3]} ${WORDS[(i * 5 + offset) % WORDS.length]} ${WORDS[(i * 3 + offset) % 7]}`,
    ),
    labels: Array.from({ length: n }, (_, i) => ["animal", "nature", "food"][i % 3]!),
  });
  return { type: "classification", name: "word classes", train: part(0), test: part(3), samplesPerLabel: 4 };
}
