/** `parallax corpus encode` and `parallax corpus nearest`. */
import { encodeCorpus, loadEncoder, openCorpus } from "../api/index.ts";
import { streamTexts } from "../data/text-stream.ts";
import type { CliRequest } from "../protocol/cli-messages.ts";
import type { Answer } from "./answer.ts";

type Request<C extends CliRequest["command"]> = Extract<CliRequest, { command: C }>;

export async function corpusEncode(request: Request<"corpus-encode">): Promise<Answer> {
  const corpus = await encodeCorpus({
    file: request.file,
    column: request.column,
    folder: request.out,
    encoder: await loadEncoder(request.encoder),
    dtype: request.dtype,
    ...(request.id === null ? {} : { id: request.id }),
    ...(request.prompt === null ? {} : { prompt: request.prompt }),
  });
  const { manifest, n, dimensions, folder, loss } = corpus;
  corpus.close();
  return {
    text: [
      `${folder}: ${manifest.dtype} [${n}, ${dimensions}], ${manifest.encoder.name}${manifest.prompt === "" ? "" : `, prompt "${manifest.prompt}"`}`,
      `${(n / Math.max(1e-9, manifest.seconds)).toFixed(0)} texts/s, ${manifest.report.truncated} of ${n} texts cut at ${manifest.encoder.maxTokens} tokens`,
      ...(loss === null ? [] : [loss]),
    ].join("\n"),
    json: manifest,
    ok: true,
  };
}

export async function corpusNearest(request: Request<"corpus-nearest">): Promise<Answer> {
  const corpus = openCorpus(request.folder);
  try {
    const found = await corpus.nearest(request.queries, {
      k: request.k,
      ...(request.exact === null ? {} : { exact: request.exact }),
      ...(request.heldOut === null ? {} : { heldOut: await lines(request.heldOut) }),
      ...(request.prompt === null ? {} : { prompt: request.prompt }),
    });
    const shown = found.matches.flatMap((matches, i) => [
      ...(request.queries.length > 1 ? [`${i === 0 ? "" : "\n"}${request.queries[i]}`] : []),
      ...matches.map(({ similarity, id, text }) => `${similarity.toFixed(3)}  ${id}  ${text.slice(0, 160)}`),
    ]);
    return {
      text: [...shown, "", found.certainty].join("\n"),
      json: { queries: found.queries, matches: found.matches, index: found.index, heldOut: found.heldOut },
      ok: true,
    };
  } finally {
    corpus.close();
  }
}

/** The texts of a file, one a line; a table's column "text" too. */
async function lines(file: string): Promise<string[]> {
  const texts: string[] = [];
  for await (const rows of streamTexts(file, { column: "text" })) texts.push(...rows.map(({ text }) => text));
  return texts;
}
