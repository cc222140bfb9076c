/** The prompts that an encoder's authors mean for a task, so that a score is made as the published one was. */
import type { EncoderSpec } from "./encoder-spec.ts";

export interface Recommended {
  /** Templates with {text} by side; a side without one has no prompt, on purpose. Empty: the authors use none. */
  templates: { query?: string; document?: string; text?: string };
  /** Where they come from, in words; null when there is none. */
  source: string | null;
}

/** Names of one task as people write them: "scifact", "SciFact", "banking77-test", "Banking77Classification". */
function plain(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]/g, "")
    .replace(/(classification|retrieval|clustering|reranking)?(test|dev)?$/, "");
}

/**
 * @param task its name and whether it has queries and documents ("retrieval") or texts of one kind
 */
export function recommendedPrompts(
  spec: Pick<EncoderSpec, "prompts" | "roles" | "taskPrompts" | "name" | "catalogue">,
  task: { name: string; type: string },
): Recommended {
  const sides = task.type === "retrieval" ? (["query", "document"] as const) : (["text"] as const);
  const whose = spec.catalogue ?? spec.name;
  const wanted = plain(task.name);
  const named = Object.keys(spec.taskPrompts).find((name) => plain(name) === wanted);
  const own = named === undefined ? undefined : spec.taskPrompts[named];
  if (own !== undefined && sides.some((side) => own[side] !== undefined))
    return {
      templates: Object.fromEntries(sides.flatMap((side) => (own[side] === undefined ? [] : [[side, own[side]]]))),
      source: `those of ${whose} for ${named}`,
    };
  const templates: Recommended["templates"] = {};
  for (const side of sides) {
    const role = spec.roles[side];
    if (role !== null && spec.prompts[role] !== undefined) templates[side] = spec.prompts[role];
  }
  return { templates, source: Object.keys(templates).length > 0 ? `those of ${whose}` : null };
}
