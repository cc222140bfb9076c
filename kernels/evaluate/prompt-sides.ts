/** Which prompt goes to which texts. */
import { ParallaxError } from "../protocol/errors.ts";
import type { TaskResult } from "../protocol/results.ts";

export type Side = "text" | "query" | "document";

/**
 * A prompt: a template with {text} where the text goes. A plain string goes to the queries of a retrieval task and to
 * all texts of other tasks; an object names the sides.
 */
export type PromptSpec =
  | string
  | { text?: string | undefined; query?: string | undefined; document?: string | undefined };

/** The text alone. */
export const NO_PROMPT = "{text}";

/** Sides of a task type, in the order they are shown. */
export function sidesOf(type: TaskResult["taskType"]): readonly Side[] {
  return type === "retrieval" ? ["query", "document"] : ["text"];
}

/**
 * The template of every side of a task.
 * @param name what to call the prompt in messages.
 * @throws {ParallaxError} prompt.no-text-place, prompt.unknown-field, prompt.unknown-side
 */
export function promptTemplates(
  spec: PromptSpec,
  type: TaskResult["taskType"],
  name: string,
): Record<Side, string> & Record<string, string> {
  const sides = sidesOf(type);
  const given: Record<string, string | undefined> =
    typeof spec === "string"
      ? { [sides[0]!]: spec }
      : Object.fromEntries(Object.entries(spec).filter(([key]) => key !== "name"));
  const templates: Record<string, string> = {};
  for (const [side, template] of Object.entries(given)) {
    if (template === undefined) continue;
    if (!(sides as readonly string[]).includes(side))
      throw new ParallaxError(
        "prompt.unknown-side",
        `Prompt "${name}" has a template for "${side}"; ${article(type)} task has ${sides.map((s) => `"${s}"`).join(" and ")}.`,
        {
          hint: `Use ${sides.map((s) => `{ ${s}: "… {text}" }`).join(" or ")}.`,
          details: { prompt: name, side, sides: [...sides] },
        },
      );
    checkTemplate(template, name, side);
  }
  for (const side of sides) templates[side] = given[side] ?? NO_PROMPT;
  return templates as Record<Side, string> & Record<string, string>;
}

const article = (type: string): string => (type === "sts" ? "an STS" : `a ${type}`);

function checkTemplate(template: string, name: string, side: string): void {
  const fields = [...template.matchAll(/\{([A-Za-z_][\w-]*)\}/g)].map((match) => match[1]!);
  const stranger = fields.find((field) => field !== "text");
  if (!fields.includes("text"))
    throw new ParallaxError(
      "prompt.no-text-place",
      `Prompt "${name}" has no {text}${side === "text" ? "" : ` for the ${side} side`}: every text would embed to the same vector. Found ${JSON.stringify(template)}.`,
      {
        hint: `Write ${JSON.stringify(template.trim() === "" ? "{text}" : `${template.trimEnd()} {text}`)}.`,
        details: { prompt: name, side, template },
      },
    );
  if (stranger !== undefined)
    throw new ParallaxError("prompt.unknown-field", `Prompt "${name}" asks for {${stranger}}; only {text} is known.`, {
      hint: "Remove the braces or write {text}.",
      details: { prompt: name, side, field: stranger },
    });
}
