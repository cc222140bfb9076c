/** A set of prompts made ready for a task: named, checked, with "none" first. */
import { NO_PROMPT, type PromptSpec, promptTemplates } from "../evaluate/prompt-sides.ts";
import { ParallaxError } from "../protocol/errors.ts";
import type { TaskResult } from "../protocol/results.ts";

/** One prompt of a list; without a name it is called by its template. */
export type PromptInput = string | ({ name?: string | undefined } & Exclude<PromptSpec, string>);
/** Prompts by name, or a list. */
export type PromptSet = Readonly<Record<string, PromptSpec>> | readonly PromptInput[];

export interface NamedPrompt {
  name: string;
  /** One template a side of the task. */
  template: Record<string, string>;
}

const LONGEST_NAME = 60;

/**
 * Checks a set of prompts. The baseline comes first: the prompt that leaves all texts alone, added as "none" when the set
 * has no such prompt.
 *
 * @throws {ParallaxError} prompt.too-few, prompt.duplicate-name, prompt.duplicate (two names, one template),
 *   prompt.no-text-place, prompt.unknown-field, prompt.unknown-side
 */
export function promptSet(prompts: PromptSet, type: TaskResult["taskType"]): NamedPrompt[] {
  const given: [string, PromptSpec][] = Array.isArray(prompts)
    ? (prompts as readonly PromptInput[]).map((prompt) => [nameOf(prompt), prompt])
    : Object.entries(prompts as Record<string, PromptSpec>);
  const set = given.map(([name, spec]): NamedPrompt => ({ name, template: { ...promptTemplates(spec, type, name) } }));
  const names = new Set<string>();
  const templates = new Map<string, string>();
  for (const { name, template } of set) {
    if (names.has(name))
      throw new ParallaxError("prompt.duplicate-name", `Two prompts are named "${name}".`, {
        hint: "Give every prompt a name of its own.",
        details: { name },
      });
    names.add(name);
    const key = JSON.stringify(template);
    const twin = templates.get(key);
    if (twin !== undefined)
      throw new ParallaxError(
        "prompt.duplicate",
        `The prompts "${twin}" and "${name}" are the same: ${Object.values(template)
          .map((t) => JSON.stringify(t))
          .join(" and ")}.`,
        {
          hint: "Leave one of them out: equal prompts give equal scores.",
          details: { names: [twin, name] },
        },
      );
    templates.set(key, name);
  }
  const plain = set.findIndex(({ template }) => Object.values(template).every((side) => side === NO_PROMPT));
  const baseline =
    plain >= 0 ? set[plain]! : { name: freeName(names), template: { ...promptTemplates({}, type, "none") } };
  const rest = set.filter((_, i) => i !== plain);
  if (rest.length === 0)
    throw new ParallaxError(
      "prompt.too-few",
      `A comparison needs a prompt beside "none", found ${given.length === 0 ? "no prompt" : "none other"}.`,
      {
        hint: 'For example { web: "Represent the question for retrieval: {text}" }.',
      },
    );
  return [baseline, ...rest];
}

function nameOf(prompt: PromptInput): string {
  if (typeof prompt !== "string" && prompt.name !== undefined) return prompt.name;
  const text =
    typeof prompt === "string"
      ? prompt
      : [prompt.text, prompt.query, prompt.document].filter((side) => side !== undefined).join(" | ");
  if (text === NO_PROMPT) return "none";
  const characters = [...text];
  return characters.length <= LONGEST_NAME ? text : `${characters.slice(0, LONGEST_NAME - 1).join("")}…`;
}

function freeName(names: ReadonlySet<string>): string {
  let name = "none";
  for (let i = 2; names.has(name); i++) name = `none ${i}`;
  return name;
}
