/** Starts kernels/cli.entry, relays its progress to standard error and prints its one answer. */
import { fork } from "node:child_process";
import path from "node:path";
import { type CliRequest, cliReplySchema, EXIT } from "../../kernels/protocol/cli-messages.ts";
import { packageRoot } from "../host/package-root.ts";
import { formatError, ProgressLine } from "./print.ts";

export interface OutputOptions {
  json?: true;
}

export type ComputeAnswer =
  | { kind: "result"; text: string; json: unknown; ok: boolean }
  | { kind: "error"; exitCode: number };

/**
 * Runs one request to its end. Ctrl+C asks the process to stop; a second one, or ten seconds, ends it.
 * The process's own standard output goes to standard error, so that a library's chatter never mixes with results.
 */
export function computeAnswer(request: CliRequest): Promise<ComputeAnswer> {
  return new Promise((resolve) => {
    const child = fork(path.join(packageRoot(), "dist/kernels/cli.entry.mjs"), [], {
      stdio: ["ignore", "pipe", "inherit", "ipc"],
      serialization: "advanced",
      // The child is told over IPC; the terminal's own SIGINT to the process group must not kill it first.
      detached: process.platform !== "win32",
    });
    child.stdout?.pipe(process.stderr);
    const line = new ProgressLine();
    let answer: ComputeAnswer | undefined;
    let interrupted = false;
    const stop = (): void => {
      if (interrupted) child.kill("SIGKILL");
      else {
        interrupted = true;
        line.note("Stopping… (once more: at once)");
        child.send({ type: "cancel" });
        setTimeout(() => child.kill("SIGKILL"), 10_000).unref();
      }
    };
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
    child.on("message", (raw) => {
      const parsed = cliReplySchema.safeParse(raw);
      if (!parsed.success) {
        line.note(`The computing process sent a message that is not understood: ${parsed.error.message}`);
        return;
      }
      const reply = parsed.data;
      switch (reply.type) {
        case "progress":
          line.show(reply);
          break;
        case "note":
          line.note(reply.text);
          break;
        case "result":
          answer = { kind: "result", text: reply.text, json: reply.json, ok: reply.ok };
          break;
        case "error":
          line.close();
          if (reply.error.kind === "cancelled") answer = { kind: "error", exitCode: EXIT.interrupted };
          else {
            process.stderr.write(`${formatError(reply.error)}\n`);
            answer = { kind: "error", exitCode: EXIT.failed };
          }
          break;
        default:
          reply satisfies never;
      }
    });
    child.on("exit", (code, signal) => {
      process.off("SIGINT", stop);
      process.off("SIGTERM", stop);
      line.close();
      if (answer === undefined && !interrupted)
        process.stderr.write(
          `${formatError({
            code: "process.ended",
            kind: "environment",
            message: `The computing process ended before it answered (${signal ? `signal ${signal}` : `exit code ${code}`}). Nothing else was changed.`,
            hint:
              signal === "SIGKILL"
                ? "The system may have been out of memory: try fewer texts or a smaller encoder."
                : "Run `parallax doctor`; its lines say what does not work here.",
          })}\n`,
        );
      resolve(answer ?? { kind: "error", exitCode: interrupted ? EXIT.interrupted : EXIT.failed });
    });
    child.send(request);
  });
}

/** The same, printed. Returns the exit code. */
export async function runCompute(request: CliRequest, options: OutputOptions): Promise<number> {
  const answer = await computeAnswer(request);
  if (answer.kind === "error") return answer.exitCode;
  process.stdout.write(options.json ? `${JSON.stringify(answer.json, null, 2)}\n` : `${answer.text}\n`);
  return answer.ok ? EXIT.done : EXIT.failed;
}
