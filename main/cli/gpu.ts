/** `parallax gpu install`: first what it would fetch, then the question, then the work. */
import { createInterface } from "node:readline/promises";
import { EXIT } from "../../kernels/protocol/cli-messages.ts";
import { computeAnswer, type OutputOptions, runCompute } from "./compute-command.ts";

export async function runGpuInstall(options: { source?: string; yes?: true } & OutputOptions): Promise<number> {
  const source = options.source ?? null;
  const plan = await computeAnswer({ command: "gpu", action: "plan", source });
  if (plan.kind === "error") return plan.exitCode;
  process.stderr.write(`${plan.text}\n`);
  if (options.yes !== true) {
    if (!process.stdin.isTTY) {
      process.stderr.write("Nothing was fetched. Say --yes to install without a question.\n");
      return EXIT.usage;
    }
    const terminal = createInterface({ input: process.stdin, output: process.stderr });
    const answer = await terminal.question("Fetch and install? [y/N] ");
    terminal.close();
    if (!/^y(es)?$/i.test(answer.trim())) {
      process.stderr.write("Nothing was fetched.\n");
      return EXIT.done;
    }
  }
  return runCompute({ command: "gpu", action: "install", source }, options);
}
