/** What an output of a notebook says about the encoder behind it, in nbformat's metadata of the output. */
import { isPlainObject } from "./describe-value.ts";

/** An own data property's value: never runs a getter. */
const own = (value: object, name: string): unknown => Object.getOwnPropertyDescriptor(value, name)?.value;

/**
 * `{ parallax: { encoder: <spec> } }` for results and vectors of an encoder, and for an encoder itself; {} for all else.
 * So whoever opens the file can make the same encoder again, whatever the output shows. Never throws.
 */
export function resultMetadata(value: unknown): Record<string, unknown> {
  try {
    if (typeof value !== "object" || value === null) return {};
    for (const identity of [own(value, "encoder"), own(value, "identity")]) {
      if (typeof identity !== "object" || identity === null) continue;
      const spec = own(identity, "spec");
      if (isPlainObject(spec) && spec.version === 1) return { parallax: { encoder: structuredClone(spec) } };
    }
    return {};
  } catch {
    return {};
  }
}
