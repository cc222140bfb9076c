/** Reads config.json of a model folder field by field; every complaint names the field and what was found. */
import { ParallaxError } from "../protocol/errors.ts";

/** What stands between the two layers of a feed-forward block. "gelu" is the exact form with erf. */
export type Activation = "gelu" | "gelu-tanh" | "relu";

const ACTIVATIONS: Readonly<Record<string, Activation>> = {
  gelu: "gelu",
  gelu_python: "gelu",
  gelu_new: "gelu-tanh",
  gelu_fast: "gelu-tanh",
  gelu_pytorch_tanh: "gelu-tanh",
  relu: "relu",
};

export class ConfigFields {
  readonly fields: Readonly<Record<string, unknown>>;

  /** @throws {ParallaxError} model.bad-config */
  constructor(json: unknown) {
    if (typeof json !== "object" || json === null || Array.isArray(json))
      throw badConfig("config.json is not a JSON object.");
    this.fields = json as Record<string, unknown>;
  }

  /** A whole number from `least` to a thousand million. @throws {ParallaxError} model.bad-config */
  count(field: string, otherwise?: number, least = 1): number {
    const value = this.fields[field] ?? otherwise;
    if (typeof value !== "number" || !Number.isInteger(value) || value < least || value > 1e9)
      throw badConfig(`config.json says ${field} ${JSON.stringify(value)}; a whole number from ${least} is needed.`);
    return value;
  }

  /** @throws {ParallaxError} model.bad-config */
  epsilon(field: string, otherwise: number): number {
    const value = this.fields[field] ?? otherwise;
    if (typeof value !== "number" || !(value > 0 && value < 1))
      throw badConfig(
        `config.json says ${field} ${JSON.stringify(value)}.`,
        "It must be a small positive number, 1e-12 for most models.",
      );
    return value;
  }

  /** @throws {ParallaxError} model.unsupported */
  activation(field: string): Activation {
    const value = this.fields[field] ?? "gelu";
    const found = typeof value === "string" && Object.hasOwn(ACTIVATIONS, value) ? ACTIVATIONS[value] : undefined;
    if (found === undefined) throw unsupported(field, value, Object.keys(ACTIVATIONS).join(", "));
    return found;
  }

  /** The field has this value, or is not there. @throws {ParallaxError} model.unsupported */
  only(field: string, supported: unknown): void {
    const value = this.fields[field] ?? supported;
    if (value !== supported) throw unsupported(field, value, JSON.stringify(supported));
  }

  /** Heads share the hidden size evenly. @throws {ParallaxError} model.bad-config */
  divides(heads: [field: string, value: number], hidden: [field: string, value: number]): void {
    if (hidden[1] % heads[1] !== 0)
      throw badConfig(
        `config.json says ${hidden[0]} ${hidden[1]} and ${heads[0]} ${heads[1]}, which does not divide it.`,
      );
  }
}

export function badConfig(message: string, hint = "Get config.json of the model again."): ParallaxError {
  return new ParallaxError("model.bad-config", message, { hint });
}

export function unsupported(field: string, found: unknown, supported: string): ParallaxError {
  return new ParallaxError(
    "model.unsupported",
    `config.json says ${field} ${JSON.stringify(found)}; only ${supported} is supported.`,
    {
      hint: "Use the model's ONNX export, or another model of the family.",
      details: { field, found },
    },
  );
}
