/** `parallax precision`: its words. */
import { Command, CommanderError, type Option } from "commander";
import { type CliRequest, EXIT } from "../../kernels/protocol/cli-messages.ts";
import { runCompute } from "./compute-command.ts";

type VectorRequest = Extract<CliRequest, { command: "precision" }>["vectors"][number];

interface PrecisionWords {
  task: string;
  precisions?: string[];
  vectors?: VectorRequest[];
  documents?: number;
  calibrate?: { file: string } | { count: number };
  column?: string;
  seed: number;
  resamples: number;
  json?: true;
}

function wrong(message: string): CommanderError {
  return new CommanderError(EXIT.usage, "parallax.precision", `error: ${message}`);
}

const words = (text: string): string[] =>
  text
    .split(",")
    .map((word) => word.trim())
    .filter((word) => word !== "");

/** "int8", "int8-fixed", "binary", "192", "int8:192". */
function vectorForm(text: string): VectorRequest {
  const parts = /^(?:(float32|int8|int8-fixed|binary)(?::(\d+))?|(\d+))$/.exec(text);
  if (parts === null)
    throw wrong(`--vectors takes int8, int8-fixed, binary, a number of dimensions, or int8:192; found "${text}".`);
  const [, name = "float32", beside, alone] = parts;
  const dimensions = beside ?? alone;
  return {
    type: name === "int8-fixed" ? "int8" : (name as VectorRequest["type"]),
    dimensions: dimensions === undefined ? null : Number(dimensions),
    ranges: name === "int8-fixed" ? "fixed" : "measured",
  };
}

/** @param kit what the other commands use too. */
export function precisionCommand(kit: {
  finish: (code: Promise<number>) => Promise<void>;
  options: readonly Option[];
  number: (name: string, least: number) => (text: string) => number;
  encoderReference: (text: string) => string;
  absolute: (text: string) => string;
}): Command {
  const { finish, options, number, encoderReference, absolute } = kit;
  const command = new Command("precision")
    .description("what an encoder loses in each precision, and with its vectors in fewer bytes")
    .argument("[encoder]", '"default", a model folder or a downloaded hub id', encoderReference, "default")
    .requiredOption("-t, --task <path>", "task file (.json), sentence pairs (.tsv) or BEIR folder", absolute)
    .option("--precisions <list>", "float16,int8,int8-weights,int8-blocks,int4-blocks (default: all)", words)
    .option(
      "--vectors <list>",
      "int8,int8-fixed,binary,192,int8:192 (default: int8, int8-fixed, binary, half)",
      (text) => words(text).map(vectorForm),
    )
    .option("--documents <n>", "of a retrieval task: a sample of so many documents", number("--documents", 1))
    .option("--calibrate <file-or-n>", "int8 ranges from a table of texts, or from n of the task's texts", (text) =>
      /^\d+$/.test(text) ? { count: number("--calibrate", 1)(text) } : { file: absolute(text) },
    )
    .option("-c, --column <name>", "column of the table of --calibrate");
  for (const option of options) command.addOption(option);
  return command.action((encoder: string, o: PrecisionWords) => {
    const { calibrate } = o;
    if (calibrate !== undefined && "file" in calibrate && o.column === undefined)
      throw wrong("--calibrate with a table needs --column.");
    return finish(
      runCompute(
        {
          command: "precision",
          encoder,
          task: o.task,
          precisions: o.precisions ?? [],
          vectors: o.vectors ?? [],
          documents: o.documents ?? null,
          calibration:
            calibrate === undefined
              ? null
              : "count" in calibrate
                ? calibrate.count
                : { file: calibrate.file, column: o.column ?? "" },
          seed: o.seed,
          resamples: o.resamples,
        },
        o,
      ),
    );
  });
}
