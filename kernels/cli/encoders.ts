/** `parallax encoders`: list, find, download, remove, measure, token. */
import { encoderSettings, setToken, withHub } from "../encoders/access.ts";
import { fetchEncoder, plainProgress } from "../encoders/download-encoder.ts";
import { diskUse, hitEntry, listEntries } from "../encoders/entries.ts";
import { entriesTable } from "../encoders/entries-table.ts";
import { measureEncoder } from "../encoders/measure.ts";
import { searchModels } from "../hub/client.ts";
import { formatBytes } from "../hub/hub-errors.ts";
import { findPart } from "../hub/part.ts";
import { findStored, removePart, removeStored } from "../hub/store.ts";
import type { CliRequest } from "../protocol/cli-messages.ts";
import { fromErrorData, isCancelled } from "../protocol/errors.ts";
import type { Answer } from "./answer.ts";
import type { CommandContext } from "./context.ts";

type Request<A extends string> = Extract<CliRequest, { command: "encoders"; action: A }>;

export function encoders(
  request: Extract<CliRequest, { command: "encoders" }>,
  context: CommandContext,
): Promise<Answer> | Answer {
  switch (request.action) {
    case "list":
      return list(request);
    case "find":
      return find(request, context);
    case "download":
      return download(request, context);
    case "remove":
      return remove(request);
    case "measure":
      return measure(request, context);
    case "settings":
      return settings();
    case "set-token":
      setToken(request.token);
      return settings();
    default:
      return request satisfies never;
  }
}

async function list({ all }: Request<"list">): Promise<Answer> {
  const entries = (await listEntries()).filter((entry) => all || entry.state !== "available");
  const disk = diskUse();
  const text = `${entriesTable(entries)}\n\n${formatBytes(disk.encodersBytes)} in ${disk.folder}, cache ${formatBytes(disk.cacheBytes)}, ${formatBytes(disk.freeBytes)} free.`;
  return { text, json: { entries, disk }, ok: true };
}

async function find({ query, limit }: Request<"find">, { work }: CommandContext): Promise<Answer> {
  const hits = await withHub(undefined, (http) => searchModels(http, query, limit, { signal: work.signal }));
  const entries = hits.map(hitEntry);
  const notes = entries.flatMap((entry) => (entry.note === null ? [] : [`${entry.id}: ${entry.note}`]));
  return {
    text: entries.length === 0 ? `The hub has nothing for "${query}".` : [entriesTable(entries), ...notes].join("\n"),
    json: { entries },
    ok: true,
  };
}

async function download(request: Request<"download">, { work, note }: CommandContext): Promise<Answer> {
  const { id } = request;
  let isTold = false;
  try {
    const { record, folder } = await fetchEncoder(id, {
      ...(request.revision === null ? {} : { revision: request.revision }),
      ...(request.variant === null ? {} : { variant: request.variant }),
      trustHub: request.trustHub,
      signal: work.signal,
      onProgress: (progress) => {
        // Another process is at it: said at once, also where no line of progress is drawn.
        if (progress.files.length > 0 || progress.note === null) work.onProgress?.(plainProgress(id, progress));
        else if (!isTold) note(progress.note);
        isTold ||= progress.files.length === 0;
      },
    });
    if (record.verified?.ok === false && record.verified.error !== null) throw fromErrorData(record.verified.error);
    const bytes = record.files.reduce((sum, file) => sum + file.sizeBytes, 0);
    const weights = record.files.filter((file) => record.weights.includes(file.path));
    return {
      text: [
        `${id}: ${record.files.length} files, ${formatBytes(bytes)}, ${record.verified?.dimensions ?? "?"} dimensions, in ${folder}`,
        ...weights.map((file) => `${file.path}: sha256 ${file.sha256.slice(0, 16)}…, ${file.trust}`),
      ].join("\n"),
      json: { folder, ...record },
      ok: true,
    };
  } catch (error) {
    const part = isCancelled(error) ? findPart(id) : null;
    if (part !== null)
      note(
        `${formatBytes(part.progress.doneBytes)} of ${formatBytes(part.progress.totalBytes)} are kept; the same command goes on there.`,
      );
    throw error;
  }
}

function remove({ id }: Request<"remove">): Answer {
  // Without the encoder, a part of it may be what is meant.
  const freedBytes = findStored(id) === null && findPart(id) !== null ? removePart(id) : removeStored(id);
  return { text: `${id}: ${formatBytes(freedBytes)} freed.`, json: { id, freedBytes }, ok: true };
}

async function measure({ encoder }: Request<"measure">, { work }: CommandContext): Promise<Answer> {
  const speed = await measureEncoder(encoder, work);
  return {
    text: `${encoder}: ${Math.round(speed.textsPerSecond)} texts/s (${speed.texts} texts of mixed lengths, ${speed.provider}, ${speed.precision}, ${speed.threads} threads)`,
    json: { encoder, ...speed },
    ok: true,
  };
}

function settings(): Answer {
  const found = encoderSettings();
  const { endpoint, endpointFrom, offlineFrom, token } = found;
  return {
    text: [
      `hub      ${endpoint}${endpointFrom === "default" ? "" : ` (from ${endpointFrom === "setting" ? "the settings" : endpointFrom})`}`,
      `offline  ${offlineFrom === null ? "no" : `yes (from ${offlineFrom === "setting" ? "the settings" : offlineFrom})`}`,
      `token    ${token.where}`,
      ...(token.problem === null ? [] : [`         ${token.problem.message}`, `         ${token.problem.hint ?? ""}`]),
    ].join("\n"),
    json: found,
    ok: token.problem === null,
  };
}
