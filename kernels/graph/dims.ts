/** Arithmetic on symbolic sizes: products, quotients and broadcasting of dimensions that are numbers or names. */
import { ParallaxError } from "../protocol/errors.ts";
import type { Dim } from "./ir.ts";

export function formatShape(shape: readonly Dim[]): string {
  return `[${shape.join(", ")}]`;
}

/** A size that nobody knows: names that start with "?" are never the same as another, not even as themselves. */
export function isUnknown(dim: Dim): boolean {
  return typeof dim === "string" && dim.startsWith("?");
}

/** True when the shapes are certain to be equal. */
export function sameShape(a: readonly Dim[], b: readonly Dim[]): boolean {
  return a.length === b.length && a.every((dim, i) => dim === b[i] && !isUnknown(dim));
}

/** True when every size is a number. */
export function isStatic(shape: readonly Dim[]): shape is readonly number[] {
  return shape.every((dim) => typeof dim === "number");
}

function factors(dim: Dim): { number: number; names: string[] } {
  if (typeof dim === "number") return { number: dim, names: [] };
  let number = 1;
  const names: string[] = [];
  for (const part of dim.split("*")) {
    if (/^\d+$/.test(part)) number *= Number(part);
    else names.push(part);
  }
  return { number, names };
}

function join(number: number, names: string[]): Dim {
  if (number === 0 || names.length === 0) return number;
  names.sort();
  return number === 1 ? names.join("*") : [number, ...names].join("*");
}

/** The product as a number or in one canonical spelling: 2 · t · b is "2*b*t". */
export function multiplyDims(dims: readonly Dim[]): Dim {
  let number = 1;
  const names: string[] = [];
  for (const dim of dims) {
    const part = factors(dim);
    number *= part.number;
    names.push(...part.names);
  }
  return join(number, names);
}

/** total / by when that is certain to be whole, else undefined. */
export function divideDim(total: Dim, by: Dim): Dim | undefined {
  const a = factors(total);
  const b = factors(by);
  if (b.number === 0 || a.number % b.number !== 0) return undefined;
  const names = [...a.names];
  for (const name of b.names) {
    const at = names.indexOf(name);
    if (at < 0) return undefined;
    names.splice(at, 1);
  }
  return join(a.number / b.number, names);
}

/** A sum, where it has a spelling of its own. */
export function addDims(dims: readonly Dim[]): Dim {
  if (isStatic(dims)) return dims.reduce((sum, dim) => sum + dim, 0);
  const rest = dims.filter((dim) => dim !== 0);
  if (rest.length === 1) return rest[0];
  if (rest.every((dim) => dim === rest[0])) return multiplyDims([rest.length, rest[0]]);
  return `(${rest.map(String).sort().join("+").replaceAll("*", "·")})`;
}

/**
 * Numpy broadcasting. Two different names can only be the same size or 1 at run time; the result is then a new name.
 * @throws {ParallaxError} graph.shape-mismatch when two known sizes differ and neither is 1.
 */
export function broadcastShapes(what: string, shapes: readonly (readonly Dim[])[]): Dim[] {
  const rank = Math.max(0, ...shapes.map((shape) => shape.length));
  const result: Dim[] = [];
  for (let axis = 0; axis < rank; axis++) {
    let dim: Dim = 1;
    for (const shape of shapes) {
      const other: Dim = shape[axis - rank + shape.length] ?? 1;
      if (other === 1 || other === dim) continue;
      if (dim === 1) dim = other;
      else if (typeof dim === "number" && typeof other === "number")
        throw new ParallaxError(
          "graph.shape-mismatch",
          `${what}: the shapes ${shapes.map(formatShape).join(" and ")} do not broadcast (${dim} against ${other}).`,
          { kind: "bug", hint: "Two sizes broadcast when they are equal or one of them is 1." },
        );
      else if (typeof other === "number") dim = other;
      else if (typeof dim === "string") dim = `max(${[dim, other].sort().join(",").replaceAll("*", "·")})`;
    }
    result.push(dim);
  }
  return result;
}

/** axis in 0..rank-1. @throws {ParallaxError} graph.bad-axis */
export function normaliseAxis(what: string, axis: number, rank: number): number {
  const result = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || result < 0 || result >= rank)
    throw new ParallaxError("graph.bad-axis", `${what}: axis ${axis} is outside of a tensor with ${rank} axes.`, {
      kind: "bug",
      hint: `Use an axis from ${-rank} to ${rank - 1}.`,
    });
  return result;
}
