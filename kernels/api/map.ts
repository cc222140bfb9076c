/** `map(vectors)`: a UMAP with its trustworthiness, linked to texts. */
import { EmbeddingSet } from "../encode/embedding-set.ts";
import { figureBundle } from "../figure/bundle.ts";
import { defaultCompute } from "../graph/compute.ts";
import { mapHtml } from "../map/html.ts";
import { type MapOptions as LayoutOptions, layoutMap } from "../map/map.ts";
import { describeMap, mapFigure, toMapView } from "../map/view.ts";
import { DISPLAY, type Displayable, MIME, type MimeBundle } from "../protocol/display.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { EncoderIdentity, MapLayout } from "../protocol/results.ts";
import { withJob } from "./context.ts";

/** Vectors without an encoder, e.g. read from a .npy file. */
export interface PlainVectors {
  /** float32 [n, dimensions], row-major. */
  data: Float32Array;
  n: number;
  dimensions: number;
  texts?: readonly string[];
}

export interface MapOptions extends Omit<LayoutOptions, "signal" | "onProgress"> {
  /** One category a row, for colour. With several sets: their names, one a set. */
  labels?: readonly (string | number | boolean)[];
  /** What the labels are: a column's name. */
  labelName?: string;
}

/** A layout that shows itself and can be saved as a page. */
export interface TextMap extends MapLayout, Displayable {
  /** One self-contained page: no network, texts and neighbours inside. */
  toHtml(title?: string): string;
}

/**
 * Lays vectors out in the plane. Several sets become one map, coloured by set, which is how to see what a prompt does:
 * `map([plain, prompted], { labels: ["no prompt", "query: "] })`.
 *
 * Neighbours are exact and come from the original space; trustworthiness says how far the picture can be believed.
 *
 * @param vectors an EmbeddingSet, plain vectors, or several of one size.
 * @throws {ParallaxError} map.different-encoders  sets of different encoders cannot share a map
 * @throws {ParallaxError} map.too-few-rows, map.bad-option  see kernels/map/map.ts
 * Cost: O(n²·d) + O(n·k·epochs); 2,000 texts take about 8 s on two cores. Same vectors, options and seed: same map.
 */
export async function map(
  vectors: EmbeddingSet | PlainVectors | readonly (EmbeddingSet | PlainVectors)[],
  options: MapOptions = {},
): Promise<TextMap> {
  const sets = Array.isArray(vectors)
    ? (vectors as readonly (EmbeddingSet | PlainVectors)[])
    : [vectors as EmbeddingSet | PlainVectors];
  const { labels, labelName, ...layoutOptions } = options;
  const joined = join(sets);
  const layout = await withJob(undefined, (work) =>
    layoutMap(
      {
        ...joined,
        labels: labelsFor(sets, joined.n, labels),
        labelName: labelName ?? (sets.length > 1 && labels?.length !== joined.n ? "set" : undefined),
      },
      { ...layoutOptions, ...work },
      defaultCompute(),
    ),
  );
  return showable(layout);
}

function showable(layout: MapLayout): TextMap {
  return {
    ...layout,
    toHtml: (title = mapFigure(layout).title) => mapHtml(toMapView(layout), title),
    async [DISPLAY](): Promise<MimeBundle> {
      return {
        [MIME.map]: toMapView(layout),
        ...(await figureBundle(mapFigure(layout))),
        [MIME.plain]: describeMap(layout),
      };
    },
  };
}

function join(sets: readonly (EmbeddingSet | PlainVectors)[]): {
  vectors: Float32Array;
  n: number;
  dimensions: number;
  texts: string[];
  encoder?: EncoderIdentity;
} {
  const first = sets[0];
  if (first === undefined)
    throw new ParallaxError("map.too-few-rows", "map: an empty list of vectors was given.", {
      hint: "Give an EmbeddingSet.",
    });
  for (const set of sets) {
    if (!(set.data instanceof Float32Array) || set.data.length !== set.n * set.dimensions)
      throw new ParallaxError(
        "map.bad-vectors",
        `map: vectors must be a Float32Array of n × dimensions numbers, found ${set.n} × ${set.dimensions} and ${set.data?.length ?? "no"} numbers.`,
        {
          hint: "Give what encode() returned.",
        },
      );
    if (
      set.dimensions !== first.dimensions ||
      (encoderOf(set)?.weightsSha256 ?? "") !== (encoderOf(first)?.weightsSha256 ?? "")
    )
      throw new ParallaxError(
        "map.different-encoders",
        `map: sets of ${first.dimensions} and ${set.dimensions} dimensions (${encoderOf(first)?.name ?? "unknown"}, ${encoderOf(set)?.name ?? "unknown"}) do not lie in one space.`,
        { hint: "Draw one map per encoder." },
      );
  }
  const n = sets.reduce((sum, set) => sum + set.n, 0);
  const vectors = new Float32Array(n * first.dimensions);
  let offset = 0;
  for (const set of sets) {
    vectors.set(set.data, offset);
    offset += set.data.length;
  }
  const encoder = encoderOf(first);
  return {
    vectors,
    n,
    dimensions: first.dimensions,
    texts: sets.flatMap((set) => set.texts ?? Array.from({ length: set.n }, (_, i) => `row ${i}`)),
    ...(encoder ? { encoder } : {}),
  };
}

function encoderOf(set: EmbeddingSet | PlainVectors): EncoderIdentity | undefined {
  return set instanceof EmbeddingSet ? set.encoder : undefined;
}

function labelsFor(
  sets: readonly { n: number }[],
  n: number,
  labels: readonly (string | number | boolean)[] | undefined,
): string[] | undefined {
  if (labels === undefined)
    return sets.length > 1 ? sets.flatMap((set, i) => Array.from({ length: set.n }, () => `set ${i + 1}`)) : undefined;
  if (labels.length === n) return labels.map(String);
  if (sets.length > 1 && labels.length === sets.length)
    return sets.flatMap((set, i) => Array.from({ length: set.n }, () => String(labels[i])));
  throw new ParallaxError(
    "map.bad-option",
    `map: ${n} vectors${sets.length > 1 ? ` in ${sets.length} sets` : ""} need ${n} labels${sets.length > 1 ? ` or ${sets.length}` : ""}, found ${labels.length}.`,
  );
}
