/**
 * The part of the hub's HTTP protocol that Parallax uses:
 *   GET /api/models/{id}/revision/{revision}?blobs=true   commit and files with sizes, git and LFS hashes
 *   GET /api/models?search=…                              names
 *   GET /{id}/resolve/{commit}/{path}                     bytes, often by a redirect to a store on another host
 * Facts from the hub's own documentation and client (huggingface.co/docs/hub/api, huggingface_hub).
 */
import { z } from "zod";
import { ParallaxError } from "../protocol/errors.ts";
import type { HubHttp, HubResponse, RequestOptions } from "./http.ts";
import { hubError } from "./hub-errors.ts";
import { checkHubId, pathFault } from "./hub-id.ts";

/** One file of a repository. Which hash is known depends on where the hub keeps it. */
export interface HubFile {
  path: string;
  sizeBytes: number;
  /** sha256 of the content, lower-case hex: files in LFS or Xet. */
  sha256: string | null;
  /** sha1 of the git blob: files in git itself. */
  gitSha1: string | null;
}

export interface ModelInfo {
  id: string;
  /** Commit: 40 hex digits. */
  revision: string;
  files: HubFile[];
  licence: string | null;
  languages: string[];
  gated: boolean;
}

export interface ModelHit {
  id: string;
  downloads: number;
  licence: string | null;
  languages: string[];
  gated: boolean;
  library: string | null;
  /** Paths only; empty when the hub did not say. */
  paths: string[];
}

type AskOptions = Pick<RequestOptions, "signal" | "onWait">;

const gated = z.union([z.boolean(), z.string()]).optional();
const siblingSchema = z.object({
  rfilename: z.string(),
  size: z.number().int().nonnegative().nullish(),
  blobId: z.string().nullish(),
  lfs: z.object({ sha256: z.string().optional(), oid: z.string().optional(), size: z.number().optional() }).nullish(),
});
const infoSchema = z.object({
  id: z.string().optional(),
  sha: z.string().regex(/^[0-9a-f]{40}$/),
  siblings: z.array(siblingSchema).max(100_000),
  tags: z.array(z.string()).optional(),
  gated,
});
const hitSchema = z.object({
  id: z.string(),
  downloads: z.number().optional(),
  tags: z.array(z.string()).optional(),
  library_name: z.string().nullish(),
  gated,
  siblings: z.array(z.object({ rfilename: z.string() })).optional(),
});

/** An answer of the API that is longer than this is none. */
const MOST_JSON_BYTES = 32e6;

/**
 * What a model holds at a revision.
 *
 * @throws {ParallaxError} hub.bad-id, hub.not-found, hub.gated, hub.no-revision, hub.unsafe-path, hub.bad-answer and the
 *   errors of the connection
 */
export async function modelInfo(
  http: HubHttp,
  id: string,
  revision = "main",
  options: AskOptions = {},
): Promise<ModelInfo> {
  checkHubId(id);
  const url = `${http.options.endpoint}/api/models/${id}/revision/${encodeURIComponent(revision)}?blobs=true`;
  const info = await askJson(http, url, infoSchema, { what: id, ...options });
  const files = info.siblings.map((sibling): HubFile => {
    const fault = pathFault(sibling.rfilename);
    if (fault !== null)
      throw new ParallaxError(
        "hub.unsafe-path",
        `${id} lists the file ${JSON.stringify(sibling.rfilename.slice(0, 200))}, which Parallax does not write: ${fault}. Nothing was downloaded.`,
        {
          kind: "environment",
          hint: "Do not use this model; tell the hub about it.",
          details: { id, path: sibling.rfilename.slice(0, 200) },
        },
      );
    const sha256 = sibling.lfs?.sha256 ?? sibling.lfs?.oid ?? null;
    return {
      path: sibling.rfilename,
      sizeBytes: sibling.lfs?.size ?? sibling.size ?? -1,
      sha256: sha256 !== null && /^[0-9a-f]{64}$/i.test(sha256) ? sha256.toLowerCase() : null,
      // Of an LFS file the git blob is a pointer, not the content.
      gitSha1:
        !sibling.lfs && sibling.blobId && /^[0-9a-f]{40}$/i.test(sibling.blobId) ? sibling.blobId.toLowerCase() : null,
    };
  });
  return {
    id,
    revision: info.sha,
    files,
    licence: licenceOf(info.tags),
    languages: languagesOf(info.tags),
    gated: isGated(info.gated),
  };
}

/** Models whose name or tags fit, most downloaded first. @throws errors of the connection, hub.bad-answer */
export async function searchModels(
  http: HubHttp,
  query: string,
  limit: number,
  options: AskOptions = {},
): Promise<ModelHit[]> {
  const words = new URLSearchParams({
    search: query,
    limit: String(limit),
    sort: "downloads",
    direction: "-1",
    full: "true",
  });
  const url = `${http.options.endpoint}/api/models?${words}`;
  const hits = await askJson(http, url, z.array(hitSchema), { what: `the list for "${query}"`, ...options });
  return hits.map((hit) => ({
    id: hit.id,
    downloads: hit.downloads ?? 0,
    licence: licenceOf(hit.tags),
    languages: languagesOf(hit.tags),
    gated: isGated(hit.gated),
    library: hit.library_name ?? null,
    paths: hit.siblings?.map((sibling) => sibling.rfilename) ?? [],
  }));
}

/** Bytes of a file from `start` on. Status 200: from the beginning; 206: as asked; 416: there are no more. */
export function askFile(
  http: HubHttp,
  id: string,
  revision: string,
  file: string,
  options: AskOptions & { start?: number; ifRange?: string | null },
): Promise<HubResponse> {
  const { start = 0, ifRange, ...rest } = options;
  const encoded = file.split("/").map(encodeURIComponent).join("/");
  return http.once(`${http.options.endpoint}/${id}/resolve/${encodeURIComponent(revision)}/${encoded}`, {
    what: `${id}/${file}`,
    accept: [416],
    headers: start === 0 ? {} : { range: `bytes=${start}-`, ...(ifRange ? { "if-range": ifRange } : {}) },
    ...rest,
  });
}

async function askJson<T extends z.ZodType>(
  http: HubHttp,
  url: string,
  schema: T,
  options: RequestOptions,
): Promise<z.output<T>> {
  const text = await http.retrying(options, async () => {
    const { body } = await http.once(url, options);
    return http.text(body, options, MOST_JSON_BYTES);
  });
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw hubError("hub.bad-answer", options.what, "the answer is no JSON");
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw hubError(
    "hub.bad-answer",
    options.what,
    `the answer has another form (${issue?.path.join(".")}: ${issue?.message})`,
  );
}

function licenceOf(tags: readonly string[] = []): string | null {
  return tags.find((tag) => tag.startsWith("license:"))?.slice(8) ?? null;
}

const languageNames = new Intl.DisplayNames("en", { type: "language", fallback: "none" });

/** Tags that are codes of languages: the hub lists them bare, between its other tags. */
function languagesOf(tags: readonly string[] = []): string[] {
  return tags.filter(
    (tag) => tag === "multilingual" || (/^[a-z]{2,3}$/.test(tag) && languageNames.of(tag) !== undefined),
  );
}

const isGated = (value: boolean | string | undefined): boolean => value !== undefined && value !== false;
