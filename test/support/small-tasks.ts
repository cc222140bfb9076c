/** Small constructed tasks of words that the tiny encoder knows, with texts of different lengths. */
import type { RetrievalTask, StsTask } from "../../kernels/data/task-types.ts";
import { tinyVocabulary } from "./tiny-bert.ts";

const words = tinyVocabulary().slice(100);
const line = (i: number, length: number) =>
  Array.from({ length }, (_, j) => words[(i * 17 + j * (j + 3)) % words.length]).join(" ");

/** 80 pairs; gold is how many words they share. */
export function similarityTask(): StsTask {
  const pairs = Array.from({ length: 80 }, (_, i) => {
    const first = line(i, 3 + (i % 9)).split(" ");
    const shared = (i * 7) % (first.length + 1);
    return { a: first.join(" "), b: [...first.slice(0, shared), line(i + 31, 2 + (i % 5))].join(" "), gold: shared };
  });
  return {
    type: "sts",
    name: "similarity",
    a: pairs.map(({ a }) => a),
    b: pairs.map(({ b }) => b),
    gold: pairs.map(({ gold }) => gold),
  };
}

/** No text of this task is one of the other. */
const mark = `${words[0]} ${words[0]}`;

/** 40 queries over 120 documents, each with the first two words of its document. */
export function searchTask(): RetrievalTask {
  const documents = Array.from({ length: 120 }, (_, i) => ({
    id: `d${i}`,
    text: `${line(i + 5, 4 + (i % 11))} ${words[(i * 29) % words.length]} ${mark}`,
  }));
  const queries = Array.from({ length: 40 }, (_, i) => ({
    id: `q${i}`,
    text: `${documents[3 * i].text.split(" ").slice(0, 2).join(" ")} ${mark}`,
  }));
  return {
    type: "retrieval",
    name: "search",
    queries,
    documents,
    relevant: new Map(queries.map(({ id }, i) => [id, new Map([[`d${3 * i}`, 1]])])),
  };
}
