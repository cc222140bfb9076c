/** What all parts of a tokenizer.json have in common: a type by name, and an error that names an unknown one. */
import { ParallaxError } from "../protocol/errors.ts";

export type Json = Record<string, unknown>;

export function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A part that Parallax does not know. `component` is its place: "normalizer", "pre_tokenizer", … */
export function unknownComponent(component: string, type: unknown, known: readonly string[]): ParallaxError {
  const found = typeof type === "string" ? `"${type.slice(0, 80)}"` : `of type ${JSON.stringify(type)?.slice(0, 80)}`;
  return new ParallaxError(
    "tokenizer.unsupported",
    `The tokenizer has the ${component} ${found}, which Parallax does not know. No text was encoded.`,
    {
      hint: `Use a tokenizer built from ${known.join(", ")}, or ask for this ${component} to be added.`,
      details: { component, type: typeof type === "string" ? type : null, known: [...known] },
    },
  );
}

/** A part whose settings make no sense. */
export function badComponent(component: string, problem: string): ParallaxError {
  return new ParallaxError(
    "tokenizer.damaged",
    `The tokenizer could not be used: its ${component} ${problem}. No text was encoded.`,
    { hint: "Check that tokenizer.json is complete and comes from the same model.", details: { component, problem } },
  );
}

/** The type of a part, checked. */
export function typeOf(config: unknown, component: string): string {
  if (!isObject(config)) throw badComponent(component, `is ${JSON.stringify(config)?.slice(0, 80)}, not an object`);
  return config.type as string;
}

export function flag(config: Json, key: string, otherwise: boolean, component: string): boolean {
  const value = config[key];
  if (value === undefined || value === null) return otherwise;
  if (typeof value !== "boolean") throw badComponent(component, `has ${key} = ${JSON.stringify(value)?.slice(0, 80)}`);
  return value;
}

export function string(config: Json, key: string, otherwise: string | undefined, component: string): string {
  const value = config[key] ?? otherwise;
  if (typeof value !== "string") throw badComponent(component, `has ${key} = ${JSON.stringify(value)?.slice(0, 80)}`);
  return value;
}

export function list(config: Json, key: string, component: string): unknown[] {
  const value = config[key];
  if (!Array.isArray(value)) throw badComponent(component, `has no list "${key}"`);
  return value;
}

export function wholeNumber(value: unknown, what: string, component: string, most = 0x7fffffff): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0 || (value as number) > most)
    throw badComponent(component, `has ${what} ${JSON.stringify(value)?.slice(0, 80)}`);
  return value as number;
}
