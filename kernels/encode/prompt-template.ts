/** Prompts: a template says where the text goes, so that an instruction may stand before it, after it or around it. */
import { ParallaxError } from "../protocol/errors.ts";

/** Where the text goes in a template. */
export const TEXT_PLACE = "{text}";

export interface PromptTemplate {
  /** The template as used; "" when it is the text alone. */
  readonly template: string;
  apply(text: string): string;
}

/**
 * Read a prompt as the user gives it.
 *
 * @param prompt  undefined for the encoder's own default, "" or "{text}" for none, the name of one of the encoder's
 *                prompts, or a template with {text}, which may stand more than once. Nothing is stripped: the space at the
 *                end of "query: {text}" before the text belongs to the prompt.
 * @param known   the encoder's prompts by name, as templates
 * @throws {ParallaxError} prompt.no-text-place when a prompt is neither a known name nor has a place for the text
 */
export function readPrompt(
  prompt: string | undefined,
  known: Readonly<Record<string, string>>,
  defaultName: string | null = null,
): PromptTemplate {
  const named = prompt === undefined ? (defaultName === null ? "" : known[defaultName]) : known[prompt];
  const template = Object.hasOwn(known, prompt ?? defaultName ?? "") ? named : (prompt ?? "");
  if (template === "" || template === TEXT_PLACE) return { template: "", apply: (text) => text };
  const parts = template.split(TEXT_PLACE);
  if (parts.length < 2) {
    const names = Object.keys(known);
    throw new ParallaxError(
      "prompt.no-text-place",
      `The prompt ${JSON.stringify(template)} has no place for the text: it holds no ${TEXT_PLACE}${
        names.length > 0 ? ` and is none of this encoder's prompts (${names.join(", ")})` : ""
      }. Nothing was encoded.`,
      {
        hint: `Write where the text goes, for example ${JSON.stringify(`${template.trimEnd()} ${TEXT_PLACE}`)}.`,
        details: { prompt: template, known: names },
      },
    );
  }
  return { template, apply: (text) => parts.join(text) };
}

/** A prefix from a model's own files as a template; one that has a place for the text already stays. */
export function prefixTemplate(prefix: string): string {
  return prefix.includes(TEXT_PLACE) ? prefix : `${prefix}${TEXT_PLACE}`;
}
