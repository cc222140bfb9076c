/** Asks the planning process (kernels/planner.entry) and works out how long a run takes from what was measured here. */
import { spawn } from "node:child_process";
import path from "node:path";
import { z } from "zod";
import { CancelledError, errorDataSchema, fromErrorData, ParallaxError } from "../../kernels/protocol/errors.ts";
import type { RunSummary } from "../../kernels/protocol/run-files.ts";
import {
  type DataPreview,
  dataPreviewSchema,
  type RunPlan,
  type RunRequest,
  runPlanSchema,
} from "../../kernels/protocol/run-plans.ts";
import { packageRoot } from "./package-root.ts";

const KILL_AFTER_MS = 5000;

export const PLAN_ENTRY = "dist/kernels/planner.entry.mjs";

const costSchema = runPlanSchema.omit({ elapsedMs: true, elapsedFrom: true });
type Cost = z.infer<typeof costSchema>;

/** @throws {ParallaxError} table.* */
export async function previewData(folder: string, file: string, signal: AbortSignal): Promise<DataPreview> {
  return dataPreviewSchema.parse(await ask(folder, { preview: file }, signal));
}

/**
 * @param known runs of this computer. @throws {ParallaxError} what fineTune throws before it starts anything
 */
export async function planRun(
  folder: string,
  request: RunRequest,
  known: readonly RunSummary[],
  signal: AbortSignal,
): Promise<RunPlan> {
  const cost = costSchema.parse(await ask(folder, { plan: request }, signal));
  if (cost.measuredMs !== null) return { ...cost, elapsedMs: cost.measuredMs, elapsedFrom: "steps made just now" };
  return { ...cost, ...timeOf(cost, request, known) };
}

/** Time that a run of so many steps took, milliseconds a step; null when it says nothing. */
function stepMsOf({ status }: RunSummary): number | null {
  if (status.rate !== null && status.rate > 0) return 1000 / status.rate;
  const { estimate } = status;
  if (estimate !== null && estimate !== undefined && status.steps > 0) return estimate.elapsedMs / status.steps;
  return null;
}

/**
 * From the newest run with the same weights on this computer, by the number of texts in a batch. A step is close to
 * linear in its texts; of their lengths it knows nothing, so this is "about".
 */
export function timeOf(
  { steps, batchSize, weightsSha256, negatives }: Pick<Cost, "steps" | "batchSize" | "weightsSha256" | "negatives">,
  { recipe }: Pick<RunRequest, "recipe">,
  known: readonly RunSummary[],
): Pick<RunPlan, "elapsedMs" | "elapsedFrom"> {
  const adapters = recipe.lora !== undefined && recipe.lora !== false;
  const fits = known.filter((run) => run.config.encoder.weightsSha256 === weightsSha256 && stepMsOf(run) !== null);
  const best = fits.find((run) => (run.config.lora !== null) === adapters) ?? fits[0];
  if (best === undefined) return { elapsedMs: null, elapsedFrom: null };
  const { config } = best;
  const texts = (batch: number, hard: number) => batch * (2 + hard);
  const accumulate = typeof recipe.accumulate === "number" ? recipe.accumulate : 1;
  const share =
    (texts(batchSize, negatives) * accumulate) / (texts(config.batchSize, config.data.negatives) * config.accumulate);
  return { elapsedMs: steps * share * stepMsOf(best)!, elapsedFrom: `steps of ${config.name}` };
}

function ask(folder: string, question: unknown, signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [path.join(packageRoot(), PLAN_ENTRY), folder], {
      stdio: ["pipe", "pipe", "pipe"],
      windowsHide: true,
      env: { ...process.env, ELECTRON_RUN_AS_NODE: "1" },
    });
    let out = "";
    let complaints = "";
    const onAbort = () => {
      // It clears away what it began; one that hangs is ended.
      child.kill("SIGTERM");
      setTimeout(() => child.kill("SIGKILL"), KILL_AFTER_MS).unref();
      reject(new CancelledError("The estimate"));
    };
    signal.addEventListener("abort", onAbort, { once: true });
    child.stdout.setEncoding("utf8").on("data", (part: string) => {
      out += part;
    });
    child.stderr.setEncoding("utf8").on("data", (part: string) => {
      complaints = (complaints + part).slice(-2000);
    });
    child.once("error", reject);
    child.stdin.on("error", () => undefined); // its death is told by "close"
    child.once("close", (code) => {
      signal.removeEventListener("abort", onAbort);
      const parsed = answerSchema.safeParse(jsonOf(out));
      if (!parsed.success)
        reject(
          new ParallaxError(
            "run.not-planned",
            `The process that reads the data ended without an answer (exit code ${code}). ${complaints.trim()}`.trim(),
            { kind: "environment", hint: "Try again; a run can be started without an estimate." },
          ),
        );
      else if ("error" in parsed.data) reject(fromErrorData(parsed.data.error));
      else resolve(parsed.data.result);
    });
    child.stdin.end(JSON.stringify(question));
  });
}

const answerSchema = z.union([z.object({ error: errorDataSchema }), z.object({ result: z.unknown() })]);

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
