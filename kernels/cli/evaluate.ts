/** `parallax eval` and `parallax compare`. */
import { readFile } from "node:fs/promises";
import { comparePrompts, evaluate as evaluateTask, loadEncoder, loadTask } from "../api/index.ts";
import type { CliRequest } from "../protocol/cli-messages.ts";
import { ParallaxError } from "../protocol/errors.ts";
import { type Answer, answerOf } from "./answer.ts";
import type { CommandContext } from "./context.ts";

export async function evaluate(
  request: Extract<CliRequest, { command: "eval" }>,
  context: CommandContext,
): Promise<Answer> {
  const task = await loadTask(request.task);
  const encoder = await loadEncoder(request.encoder);
  const prompts = sides(task.type, request.prompt, request.documentPrompt);
  const result = await evaluateTask(task, {
    encoder,
    ...(prompts ? { prompts } : {}),
    seed: request.seed,
    resamples: request.resamples,
  });
  for (const warning of result.report.warnings) context.note(`warning: ${warning}`);
  return answerOf(result, { ...result });
}

function sides(type: string, prompt: string | null, documentPrompt: string | null): Record<string, string> | null {
  if (prompt === null && documentPrompt === null) return null;
  if (type === "retrieval")
    return {
      ...(prompt === null ? {} : { query: prompt }),
      ...(documentPrompt === null ? {} : { document: documentPrompt }),
    };
  if (documentPrompt !== null)
    throw new ParallaxError(
      "task.no-documents",
      `--document-prompt is for retrieval; this task is of type "${type}".`,
      {
        hint: "Use --prompt.",
      },
    );
  return prompt === null ? null : { text: prompt };
}

export async function compare(
  request: Extract<CliRequest, { command: "compare" }>,
  context: CommandContext,
): Promise<Answer> {
  const task = await loadTask(request.task);
  const prompts = await readPrompts(request.prompts);
  const encoder = await loadEncoder(request.encoder);
  const report = await comparePrompts({ task, prompts, encoder, seed: request.seed, resamples: request.resamples });
  for (const warning of new Set(report.scores.flatMap((score) => score.report.warnings)))
    context.note(`warning: ${warning}`);
  return answerOf(report, { ...report });
}

type PromptSet = Parameters<typeof comparePrompts>[0]["prompts"];

/** A JSON object of name → template, or one template a line (each its own name). */
async function readPrompts(file: string): Promise<PromptSet> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new ParallaxError("prompts.unreadable", `The prompts file ${file} could not be read.`, {
      cause,
      hint: "Check the path after --prompts.",
    });
  }
  // "{text}" alone may be the first line of a list; JSON has a quote or a bracket there.
  if (/^\s*(\[|\{\s*["}])/.test(text)) {
    try {
      return JSON.parse(text) as PromptSet;
    } catch (cause) {
      throw new ParallaxError(
        "prompts.not-json",
        `The prompts file ${file} starts like JSON but is not: ${(cause as Error).message}.`,
        {
          cause,
          hint: 'Write {"name": "template with {text}"}, or one template a line.',
        },
      );
    }
  }
  const lines = text.split(/\r?\n/).filter((line) => line.trim() !== "");
  if (lines.length === 0)
    throw new ParallaxError("prompts.empty", `The prompts file ${file} has no prompt.`, {
      hint: 'Write one template a line, e.g. "query: {text}".',
    });
  return Object.fromEntries(lines.map((line) => [line === "{text}" ? "none" : line, line]));
}
