/** `parallax mine`, `parallax filter` and `parallax leaks`. */
import { filterConsistent, findLeaks, loadEncoder, mineNegatives, readTable, removeLeaks } from "../api/index.ts";
import type { CliRequest } from "../protocol/cli-messages.ts";
import { type Answer, answerOf } from "./answer.ts";
import type { CommandContext } from "./context.ts";

type Request<C extends CliRequest["command"]> = Extract<CliRequest, { command: C }>;
type Source = Pick<Request<"mine">, "file" | "columns" | "dropBad">;

function sourceOf({ file, columns, dropBad }: Source) {
  const { anchor, positive, negatives, group } = columns;
  return {
    rows: file,
    columns: {
      ...(anchor === null ? {} : { anchor }),
      ...(positive === null ? {} : { positive }),
      ...(negatives.length === 0 ? {} : { negatives }),
      ...(group === null ? {} : { group }),
    },
    badRows: dropBad ? ("drop" as const) : ("refuse" as const),
  };
}

export async function mine(request: Request<"mine">): Promise<Answer> {
  const { negatives, ranks, margin, relativeMargin, sample, short, seed, out, corpus } = request;
  const texts = corpus === null ? undefined : (await readTable(corpus.file)).text(corpus.column);
  const mined = await mineNegatives({
    ...sourceOf(request),
    encoder: await loadEncoder(request.encoder),
    negatives,
    ranks,
    relativeMargin,
    sample,
    short,
    seed,
    ...(texts === undefined ? {} : { corpus: texts }),
    ...(margin === null ? {} : { margin }),
  });
  await mined.save(out);
  return withFile(await answerOf(mined, { out, ...mined.report }), out, mined.n);
}

export async function filter(request: Request<"filter">): Promise<Answer> {
  const { pool, k, seed, out } = request;
  const filtered = await filterConsistent({
    ...sourceOf(request),
    encoder: await loadEncoder(request.encoder),
    pool,
    k,
    seed,
  });
  await filtered.save(out);
  return withFile(await answerOf(filtered, { out, ...filtered.report }), out, filtered.n);
}

/** Not ok when something leaks and nothing is written: a script may stop there. */
export async function leaks(request: Request<"leaks">, context: CommandContext): Promise<Answer> {
  const { rows, ...options } = sourceOf(request);
  const asked = { ...options, documents: request.documents };
  if (request.out === null) {
    const found = await findLeaks(rows, request.tasks, asked);
    return { ...(await answerOf(found, found.report)), ok: found.n === 0 };
  }
  const apart = await removeLeaks(rows, request.tasks, asked);
  if (apart.n === 0) context.note("warning: no row is left.");
  await apart.save(request.out);
  return withFile(await answerOf(apart, { out: request.out, ...apart.report }), request.out, apart.n);
}

function withFile(answer: Answer, out: string, n: number): Answer {
  return { ...answer, text: `${answer.text}\n${out}: ${n} rows` };
}
