/** What a command may use: its signal, its progress, sentences for standard error. */
import type { WorkContext } from "../protocol/progress.ts";

export interface CommandContext {
  work: Required<WorkContext> & { signal: AbortSignal };
  note(text: string): void;
}
