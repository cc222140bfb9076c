/** `parallax map`: texts or vectors to one self-contained page. */
import { existsSync } from "node:fs";
import { map as drawMap, encode, loadEncoder, type PlainVectors } from "../api/index.ts";
import { readTable } from "../data/table.ts";
import { readNpy } from "../encode/npy.ts";
import { writeFileAtomically } from "../files/atomic-file.ts";
import type { CliRequest } from "../protocol/cli-messages.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { Answer } from "./answer.ts";
import type { CommandContext } from "./context.ts";

export async function map(request: Extract<CliRequest, { command: "map" }>, context: CommandContext): Promise<Answer> {
  const fromVectors = /\.npy$/i.test(request.file);
  if (!fromVectors && request.column === null)
    throw new ParallaxError("map.no-column", `${request.file} is a table: say which column has the texts.`, {
      hint: "Add --column NAME.",
    });
  if (fromVectors && request.labels !== null)
    throw new ParallaxError("map.bad-option", "Vectors from a .npy file have no columns to colour by.", {
      hint: "Leave --labels out, or give the table with --column.",
    });
  const options = { k: request.neighbours, seed: request.seed };
  const layout = fromVectors
    ? await drawMap(readVectors(request.file), options)
    : await mapOfTable(request, options, context);
  writeFileAtomically(request.out, [layout.toHtml()]);
  const { points, neighbours, similarities, texts, toHtml: _, ...facts } = layout;
  return {
    text: [
      `${request.out}: map of ${layout.n} ${fromVectors ? "vectors" : "texts"}, UMAP k ${layout.k}, ${layout.epochs} epochs, seed ${layout.seed}`,
      `trustworthiness ${layout.trustworthiness.toFixed(3)} (k ${layout.trustworthinessK}, n ${layout.trustworthinessN})`,
      ...layout.notes,
    ].join("\n"),
    json: { out: request.out, ...facts, points: Array.from(points) },
    ok: true,
  };
}

async function mapOfTable(
  request: Extract<CliRequest, { command: "map" }>,
  options: { k: number; seed: number },
  context: CommandContext,
): Promise<Awaited<ReturnType<typeof drawMap>>> {
  const table = await readTable(request.file, context.work);
  const texts = table.text(request.column as string);
  const labels = request.labels === null ? undefined : table.column(request.labels).map(String);
  const encoder = await loadEncoder(request.encoder);
  const set = await encode(texts, { encoder });
  for (const warning of set.report.warnings) context.note(`warning: ${warning}`);
  return drawMap(set, {
    ...options,
    ...(labels && request.labels !== null ? { labels, labelName: request.labels } : {}),
  });
}

function readVectors(file: string): PlainVectors {
  if (!existsSync(file))
    throw new ParallaxError("file.not-found", `${file} does not exist.`, { hint: "Check the path after --in." });
  const { data, dims } = readNpy(file);
  const [n, dimensions] = dims;
  if (dims.length !== 2 || n === undefined || dimensions === undefined)
    throw new ParallaxError(
      "map.bad-vectors",
      `${file} holds an array of shape [${dims.join(", ")}]; a map needs [n, d].`,
    );
  return { data, n, dimensions };
}
