/** Finding a package in a NuGet v3 feed: its address, size and sha512, from the feed's own answers. */
import { z } from "zod";
import type { HubHttp, HubResponse, RequestOptions } from "../hub/http.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { gpuError } from "./gpu-errors.ts";

export const NUGET_INDEX = "https://api.nuget.org/v3/index.json";

export interface NugetPackage {
  name: string;
  version: string;
  url: string;
  /** Null: the feed does not say. */
  sizeBytes: number | null;
  /** base64, as the feed's catalogue has it; null where the feed has none (mirrors): then trusted on first use. */
  sha512: string | null;
}

const indexSchema = z.object({ resources: z.array(z.object({ "@id": z.string(), "@type": z.string() })) });
const leafSchema = z.object({ catalogEntry: z.union([z.string(), z.record(z.string(), z.unknown())]).optional() });
const catalogueSchema = z.object({
  packageHash: z.string().optional(),
  packageHashAlgorithm: z.string().optional(),
  packageSize: z.number().optional(),
});

/**
 * Look a package up. Source: the NuGet v3 protocol (service index, package base address, registration, catalogue).
 * @throws {ParallaxError} gpu.bad-index, gpu.no-version and those of the connection
 */
export async function findPackage(
  http: HubHttp,
  index: string,
  name: string,
  version: string,
  signal?: AbortSignal,
): Promise<NugetPackage> {
  const { resources } = await readJson(http, index, indexSchema, signal);
  const resource = (type: string) => resources.find((entry) => entry["@type"] === type)?.["@id"].replace(/\/?$/, "/");
  const base = resource("PackageBaseAddress/3.0.0");
  if (base === undefined)
    throw gpuError(
      "bad-index",
      `${index} is no NuGet v3 index: it names no PackageBaseAddress. Nothing was downloaded.`,
      "Name the address of a mirror's index.json with --source.",
      { index },
    );
  const [id, wanted] = [name.toLowerCase(), version.toLowerCase()];
  const { versions } = await readJson(
    http,
    `${base}${id}/index.json`,
    z.object({ versions: z.array(z.string()) }),
    signal,
  );
  if (!versions.includes(wanted))
    throw gpuError(
      "no-version",
      `${new URL(base).host} has no ${name} ${version}; ${versions.length === 0 ? "it has none" : `its newest is ${versions.at(-1)}`}. CUDA's files must be of the same version as ONNX Runtime, so nothing was downloaded.`,
      "Use nuget.org, or bring the mirror up to date.",
      { name, version, versions: versions.slice(-10) },
    );
  const facts = await readFacts(
    http,
    resource("RegistrationsBaseUrl/3.6.0") ?? resource("RegistrationsBaseUrl"),
    id,
    wanted,
    signal,
  );
  return { name, version, url: `${base}${id}/${wanted}/${id}.${wanted}.nupkg`, ...facts };
}

/** Size and hash from the catalogue; a mirror may have neither. */
async function readFacts(
  http: HubHttp,
  registrations: string | undefined,
  id: string,
  version: string,
  signal?: AbortSignal,
): Promise<Pick<NugetPackage, "sizeBytes" | "sha512">> {
  if (registrations === undefined) return { sizeBytes: null, sha512: null };
  let entry: unknown;
  try {
    const leaf = await readJson(http, `${registrations}${id}/${version}.json`, leafSchema, signal);
    entry =
      typeof leaf.catalogEntry === "string"
        ? await readJson(http, leaf.catalogEntry, catalogueSchema, signal)
        : leaf.catalogEntry;
  } catch (error) {
    if (error instanceof ParallaxError && error.code === "hub.not-found") return { sizeBytes: null, sha512: null };
    throw error;
  }
  const facts = catalogueSchema.safeParse(entry);
  if (!facts.success) return { sizeBytes: null, sha512: null };
  const { packageHash, packageHashAlgorithm, packageSize } = facts.data;
  return {
    sizeBytes: packageSize ?? null,
    sha512: packageHashAlgorithm?.toUpperCase() === "SHA512" ? (packageHash ?? null) : null,
  };
}

async function readJson<T>(http: HubHttp, url: string, schema: z.ZodType<T>, signal?: AbortSignal): Promise<T> {
  const options: RequestOptions = { what: url, signal };
  const text = await http.retrying({ signal }, async () => {
    const response: HubResponse = await http.once(url, options);
    return http.text(response.body, options, 32 * 2 ** 20);
  });
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw gpuError(
    "bad-index",
    `${url} does not answer as a NuGet v3 feed does. Nothing was downloaded.`,
    "Check the address that --source or PARALLAX_NUGET names.",
    { url, said: text.slice(0, 200) },
  );
}
