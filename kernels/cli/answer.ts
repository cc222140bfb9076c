/** What a command answers: words for a person, one JSON document for a script. */
import { DISPLAY, type Displayable, MIME } from "../protocol/display.ts";

export interface Answer {
  text: string;
  json: unknown;
  ok: boolean;
}

/** The answer of a result that can show itself: its text/plain is the table for people. */
export async function answerOf(result: Displayable, json: unknown): Promise<Answer> {
  const bundle = await result[DISPLAY]();
  return { text: String(bundle[MIME.plain] ?? ""), json, ok: true };
}
