/**
 * The trainer process: `trainer.entry.mjs <run folder> [--measure]`. The folder is all it needs and all it writes.
 *
 * With --measure it ends when status.json says what the run will take.
 *
 * Exit codes: 0 done or stopped, 1 failed (status.json says why), 75 the folder could not be taken.
 */
import { toErrorData } from "./protocol/errors.ts";
import { runTraining } from "./train/loop.ts";

const CANNOT_TAKE = 75;

const folder = process.argv[2];
if (folder === undefined) {
  console.error("usage: trainer.entry.mjs <run folder>");
  process.exit(2);
}

try {
  const status = await runTraining(
    folder,
    (stop) => {
      let asked = false;
      const onSignal = () => {
        stop(asked ? "now" : "after-step");
        asked = true;
      };
      process.on("SIGTERM", onSignal);
      process.on("SIGINT", onSignal);
      // The terminal that started it may close; the run goes on.
      process.on("SIGHUP", () => undefined);
    },
    { measureOnly: process.argv[3] === "--measure" },
  );
  process.exitCode = status.state === "failed" ? 1 : 0;
} catch (error) {
  const { code, message, hint, kind, stack } = toErrorData(error);
  console.error(`${code}: ${message}${hint === undefined ? "" : ` ${hint}`}`);
  if (kind === "bug") console.error((stack ?? []).join("\n"));
  process.exitCode = CANNOT_TAKE;
}
