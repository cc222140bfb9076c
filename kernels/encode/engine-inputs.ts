/** Which input of an encoder's graph takes what, and which outputs may be vectors: found by name and shape. */
import type { GraphSession } from "../graph/compute.ts";
import type { ValueInfo } from "../graph/ir.ts";
import { type Tensor, tensor } from "../graph/tensor.ts";
import { ParallaxError } from "../protocol/errors.ts";

/** One padded batch: int64 [b, t], row-major; mask is 1 for tokens, 0 for padding. */
export interface TokenBatch {
  ids: BigInt64Array;
  mask: BigInt64Array;
  /** 1 for the tokens that count in the pooling. Default: those of the mask. */
  poolingMask?: BigInt64Array;
  b: number;
  t: number;
}

export interface InputPlan {
  ids: ValueInfo;
  mask: ValueInfo | undefined;
  poolingMask: ValueInfo | undefined;
  /** Inputs filled with zeros (token types) or 0, 1, 2, … (positions). */
  zeros: ValueInfo[];
  positions: ValueInfo[];
  /** Outputs to look at, best first. */
  outputs: ValueInfo[];
}

/** @throws {ParallaxError} encoder.not-an-encoder says what is missing or too much */
export function planInputs(session: GraphSession, name: string): InputPlan {
  const integer = (info: ValueInfo) => info.dtype === "int64" || info.dtype === "int32";
  const shaped = (info: ValueInfo) => integer(info) && (info.unknownRank === true || info.shape.length === 2);
  const inputs = session.inputs;
  const ids =
    inputs.find((info) => shaped(info) && /(^|[._/])(input_?ids?|tokens?|ids)($|[:._/])/i.test(info.name)) ??
    (inputs.length === 1 && shaped(inputs[0]) ? inputs[0] : undefined);
  if (ids === undefined)
    throw notAnEncoder(
      session,
      name,
      'none of its inputs takes token ids (int64 [batch, tokens], usually "input_ids")',
    );
  const rest = inputs.filter((info) => info !== ids);
  const poolingMask = rest.find((info) => shaped(info) && info.name === "pooling_mask");
  const mask = rest.find((info) => info !== poolingMask && shaped(info) && /mask/i.test(info.name));
  const zeros = rest.filter((info) => info !== mask && shaped(info) && /type|segment/i.test(info.name));
  const positions = rest.filter((info) => info !== mask && shaped(info) && /position/i.test(info.name));
  const unknown = rest.find(
    (info) => info !== mask && info !== poolingMask && !zeros.includes(info) && !positions.includes(info),
  );
  if (unknown !== undefined)
    throw notAnEncoder(
      session,
      name,
      `it also wants the input ${describe(unknown)}, which a text encoder does not have`,
    );
  const fixed = [ids, ...(mask ? [mask] : [])].find((info) => info.shape.some((dim) => typeof dim === "number"));
  if (fixed !== undefined)
    throw notAnEncoder(
      session,
      name,
      `it was exported for one fixed size (${describe(fixed)}), texts differ in length`,
    );
  const rank = (info: ValueInfo) => (info.unknownRank ? 0 : info.shape.length);
  const real = session.outputs.filter(
    (info) => (info.dtype === "float32" || info.dtype === "float16") && [0, 2, 3].includes(rank(info)),
  );
  const score = (info: ValueInfo) =>
    /sentence_?embeddings?/i.test(info.name)
      ? 0
      : /last_hidden_state|token_embeddings/i.test(info.name)
        ? 1
        : /pool/i.test(info.name)
          ? 4
          : rank(info) === 3
            ? 2
            : 3;
  const outputs = [...real].sort((a, b) => score(a) - score(b));
  if (outputs.length === 0)
    throw notAnEncoder(
      session,
      name,
      "none of its outputs is a vector a text [batch, d] or a token [batch, tokens, d]",
    );
  return { ids, mask, poolingMask, zeros, positions, outputs };
}

/** A batch as the graph's inputs. */
export function feeds(plan: InputPlan, { ids, mask, poolingMask, b, t }: TokenBatch): Record<string, Tensor> {
  const as = (info: ValueInfo, data: BigInt64Array): Tensor =>
    info.dtype === "int64" ? tensor("int64", [b, t], data) : tensor("int32", [b, t], Int32Array.from(data, Number));
  const given: Record<string, Tensor> = { [plan.ids.name]: as(plan.ids, ids) };
  if (plan.mask) given[plan.mask.name] = as(plan.mask, mask);
  if (plan.poolingMask) given[plan.poolingMask.name] = as(plan.poolingMask, poolingMask ?? mask);
  for (const info of plan.zeros) given[info.name] = as(info, new BigInt64Array(b * t));
  for (const info of plan.positions)
    given[info.name] = as(
      info,
      BigInt64Array.from({ length: b * t }, (_, i) => BigInt(i % t)),
    );
  return given;
}

function describe(info: ValueInfo): string {
  return `"${info.name}" (${info.dtype}${info.unknownRank ? "" : ` [${info.shape.join(", ")}]`})`;
}

function notAnEncoder(session: GraphSession, name: string, why: string): ParallaxError {
  const list = (infos: readonly ValueInfo[]) => infos.slice(0, 6).map(describe).join(", ") || "none";
  return new ParallaxError(
    "encoder.not-an-encoder",
    `${name} is an ONNX model, but no text encoder: ${why}. Inputs: ${list(session.inputs)}; outputs: ${list(session.outputs)}. Nothing was loaded.`,
    {
      hint: "Export the encoder with inputs input_ids and attention_mask, batch and length dynamic.",
      details: {
        file: name,
        inputs: session.inputs.map((info) => info.name),
        outputs: session.outputs.map((info) => info.name),
      },
    },
  );
}
