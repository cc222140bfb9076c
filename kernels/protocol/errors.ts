/**
 * One kind of error for the whole product. It says what was asked, what was found, what is safe and what to do next,
 * and it crosses process borders as plain data.
 */
import { z } from "zod";

/** Who can do something about it: the user (their input), the environment (disk, network, memory), nobody (cancelled), us (a bug). */
export type ErrorKind = "cancelled" | "user" | "environment" | "bug";

/** What an error looks like on the wire and in a saved file. */
export interface ErrorData {
  /** `area.name`, for example `table.missing-column`. Never translated, safe to match on. */
  code: string;
  kind: ErrorKind;
  /** What was asked and what was found, with the real values. Sentence case, ends with a full stop. */
  message: string;
  /** One next step. */
  hint?: string | undefined;
  /** Facts for "Copy details" and for code that branches on more than the code. */
  details?: Record<string, unknown> | undefined;
  cause?: ErrorData | undefined;
  /** Stack lines of the throwing side, newest first. */
  stack?: string[] | undefined;
}

export const errorDataSchema: z.ZodType<ErrorData> = z.lazy(() =>
  z.object({
    code: z.string(),
    kind: z.enum(["cancelled", "user", "environment", "bug"]),
    message: z.string(),
    hint: z.string().optional(),
    details: z.record(z.string(), z.unknown()).optional(),
    cause: errorDataSchema.optional(),
    stack: z.array(z.string()).optional(),
  }),
);

export interface ErrorOptions {
  kind?: ErrorKind;
  hint?: string;
  details?: Record<string, unknown>;
  cause?: unknown;
}

/** The base class of every error that Parallax throws on purpose. */
export class ParallaxError extends Error {
  readonly code: string;
  readonly kind: ErrorKind;
  readonly hint: string | undefined;
  readonly details: Record<string, unknown> | undefined;

  constructor(code: string, message: string, options: ErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = "ParallaxError";
    this.code = code;
    this.kind = options.kind ?? "user";
    this.hint = options.hint;
    this.details = options.details;
  }
}

/** Thrown when the user stopped the work. It is not a failure: never logged as one, and state stays usable. */
export class CancelledError extends ParallaxError {
  constructor(what = "The work") {
    super("work.cancelled", `${what} was stopped.`, { kind: "cancelled" });
    this.name = "CancelledError";
  }
}

/** Throws a `bug` error: for conditions that only our own mistake can break. */
export function invariant(condition: unknown, message: string): asserts condition {
  if (!condition) throw new ParallaxError("bug.invariant", `${message}.`, { kind: "bug" });
}

export function isCancelled(error: unknown): boolean {
  return (
    (error instanceof ParallaxError && error.kind === "cancelled") ||
    (error instanceof Error && error.name === "AbortError")
  );
}

/** Any thrown value as data. Unknown errors become `bug.unexpected` and keep their message and stack. */
export function toErrorData(error: unknown): ErrorData {
  if (error instanceof ParallaxError) {
    return {
      code: error.code,
      kind: error.kind,
      message: error.message,
      ...(error.hint === undefined ? {} : { hint: error.hint }),
      ...(error.details === undefined ? {} : { details: error.details }),
      ...(error.cause === undefined ? {} : { cause: toErrorData(error.cause) }),
      stack: stackLines(error),
    };
  }
  if (error instanceof Error) {
    const code = (error as { code?: unknown }).code;
    return {
      code: isCancelled(error) ? "work.cancelled" : "bug.unexpected",
      kind: isCancelled(error) ? "cancelled" : "bug",
      message: error.message === "" ? error.name : error.message,
      details: { name: error.name, ...(typeof code === "string" ? { systemCode: code } : {}) },
      ...(error.cause === undefined ? {} : { cause: toErrorData(error.cause) }),
      stack: stackLines(error),
    };
  }
  return { code: "bug.unexpected", kind: "bug", message: `A value was thrown that is not an error: ${String(error)}` };
}

/** The error on the other side of a port. */
export function fromErrorData(data: ErrorData): ParallaxError {
  const error = new ParallaxError(data.code, data.message, {
    kind: data.kind,
    ...(data.hint === undefined ? {} : { hint: data.hint }),
    ...(data.details === undefined ? {} : { details: data.details }),
    ...(data.cause === undefined ? {} : { cause: fromErrorData(data.cause) }),
  });
  if (data.stack) error.stack = `${error.name}: ${data.message}\n${data.stack.join("\n")}`;
  return error;
}

function stackLines(error: Error): string[] {
  return (error.stack ?? "")
    .split("\n")
    .filter((line) => /^\s+at /.test(line))
    .slice(0, 30);
}
