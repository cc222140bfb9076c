/**
 * Dropout (Srivastava et al. 2014) with masks that are fed: the graph draws nothing itself, so the same masks give the
 * same step on every provider, and a recomputed forward pass (GradCache) can use those of the first one.
 */
import type { GraphBuilder, Value } from "../graph/builder.ts";

/** A place where activations are dropped: one graph input, bool in the shape of the activations, true = kept. */
export type DropoutSite = { input: string; keep: number } & (
  | { kind: "rows"; width: number } /* [texts · t, width] */
  | { kind: "scores"; heads: number } /* [texts, heads, t, t] */
);

export class DropoutSites {
  readonly sites: DropoutSite[] = [];
  readonly #rate: number;

  /** @param rate share of activations that become 0, 0 … 0.9. 0 adds nothing to the graph. */
  constructor(rate: number) {
    this.#rate = rate;
  }

  /**
   * x ⊙ mask / (1 − rate).
   * @param x float [texts·t, width] or attention weights [texts, heads, t, t]. @param name of the place, unique.
   */
  apply(b: GraphBuilder, x: Value, name: string, rate = this.#rate): Value {
    if (rate === 0) return x;
    const keep = 1 - rate;
    const input = `dropout:${name}`;
    const mask = b.input(input, "bool", x.shape);
    this.sites.push(
      x.shape.length === 4
        ? { input, keep, kind: "scores", heads: Number(x.shape[1]) }
        : { input, keep, kind: "rows", width: Number(x.shape[1]) },
    );
    return b.where(mask, b.mul(x, 1 / keep), 0);
  }
}

/** Numbers in the mask of a site for a batch of n texts padded to t tokens. */
export function maskLength(site: DropoutSite, n: number, t: number): number {
  return site.kind === "rows" ? n * t * site.width : n * site.heads * t * t;
}
