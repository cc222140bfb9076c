/** `parallax …`: words in, processes started, results out. It computes nothing itself. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { Command, CommanderError, Option } from "commander";
import { EXIT } from "../../kernels/protocol/cli-messages.ts";
import { toErrorData } from "../../kernels/protocol/errors.ts";
import { PROVIDER_NAMES } from "../../kernels/protocol/providers.ts";
import { packageRoot } from "../host/package-root.ts";
import { runCompute } from "./compute-command.ts";
import { runDoctor } from "./doctor.ts";
import { encodersCommand } from "./encoders.ts";
import { runGpuInstall } from "./gpu.ts";
import { miningCommands } from "./mining.ts";
import { precisionCommand } from "./precision.ts";
import { formatError } from "./print.ts";
import { runNotebook } from "./run-notebook.ts";
import { runServe } from "./serve.ts";

const version = (JSON.parse(readFileSync(path.join(packageRoot(), "package.json"), "utf8")) as { version: string })
  .version;

interface JsonOption {
  json?: true;
}

const number = (name: string, least: number) => (text: string) => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least)
    throw new CommanderError(
      EXIT.usage,
      "parallax.number",
      `error: ${name} must be a whole number from ${least}, found "${text}".`,
    );
  return value;
};
const absolute = (text: string): string => path.resolve(text);
/** The names of installed encoders and hub ids stay; a path of this spelling that exists goes before a hub id. */
const encoderReference = (text: string): string =>
  /^default(-[a-z0-9]+)?$/.test(text) || (/^[\w.-]+\/[\w.-]+$/.test(text) && /^\w/.test(text) && !existsSync(text))
    ? text
    : path.resolve(text);

const program = new Command("parallax")
  .description("A notebook for text embeddings: local encoders, instruction prompts, maps and small fine-tunes.")
  .version(version)
  .showHelpAfterError("(parallax --help, or parallax COMMAND --help)")
  .configureHelp({ showGlobalOptions: true })
  .addHelpText(
    "after",
    "\nResults go to standard output (one JSON document with --json), progress to standard error.\nExit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted.",
  )
  // The computing process takes it as it takes the setting.
  .hook("preAction", (_, command) => {
    const { provider } = command.opts<{ provider?: string }>();
    if (provider === undefined) return;
    process.env.PARALLAX_PROVIDER = provider;
    process.env.PARALLAX_PROVIDER_FROM = "option";
  })
  .exitOverride();

const encoderOption = () =>
  new Option(
    "-e, --encoder <name>",
    'encoder: "default", "default-static", "default-int8", a model folder or a downloaded hub id',
  )
    .argParser(encoderReference)
    .default("default");
const providerOption = () =>
  new Option("--provider <name>", "where the encoder runs; never another one in its place").choices(PROVIDER_NAMES);
const jsonOption = () => new Option("--json", "print one JSON document instead of a table");
const seedOption = () =>
  new Option("--seed <n>", "seed of every random choice").argParser(number("--seed", 0)).default(0);
const resamplesOption = () =>
  new Option("--resamples <n>", "bootstrap resamples for the interval")
    .argParser(number("--resamples", 100))
    .default(10_000);

let exitCode: number = EXIT.done;
const finish = (code: Promise<number>): Promise<void> =>
  code.then((value) => {
    exitCode = value;
  });

program
  .command("serve")
  .description("open the notebook page in a browser, served from this computer only")
  .argument("[folder]", "folder of your notebooks", absolute, process.cwd())
  .addOption(new Option("-p, --port <n>", "port (0: any free one)").argParser(number("--port", 0)).default(8790))
  .option("--no-open", "do not open a browser")
  .action((folder: string, options: { port: number; open: boolean }) => finish(runServe({ root: folder, ...options })));

program
  .command("run")
  .description("run a notebook from top to bottom, without a window")
  .argument("<notebook>", ".ipynb file", absolute)
  .option("-o, --out <file>", "write the notebook with its outputs here (default: nowhere)", absolute)
  .option("--in-place", "write the outputs into the notebook itself")
  .option("--keep-going", "go on after a failed cell")
  .addOption(jsonOption())
  .action((file: string, options: { out?: string; inPlace?: true; keepGoing?: true } & JsonOption) =>
    finish(
      runNotebook({
        file,
        out: options.inPlace ? file : (options.out ?? null),
        keepGoing: options.keepGoing === true,
        json: options.json === true,
      }),
    ),
  );

program
  .command("encode")
  .description("encode a column of a table into vectors (.npy, float32 [n, d])")
  .addOption(encoderOption())
  .addOption(providerOption())
  .requiredOption("-i, --in <file>", "table: tsv, csv, jsonl (.gz) or parquet", absolute)
  .requiredOption("-c, --column <name>", "column with the texts")
  .option("--prompt <template>", 'prompt with a place for the text, e.g. "query: {text}"')
  .requiredOption("-o, --out <file>", "vectors.npy", absolute)
  .addOption(jsonOption())
  .action((o: { encoder: string; in: string; column: string; prompt?: string; out: string } & JsonOption) =>
    finish(
      runCompute(
        { command: "encode", encoder: o.encoder, file: o.in, column: o.column, prompt: o.prompt ?? null, out: o.out },
        o,
      ),
    ),
  );

program
  .command("eval")
  .description("score an encoder on a task")
  .addOption(encoderOption())
  .addOption(providerOption())
  .requiredOption("-t, --task <path>", "task file (.json), sentence pairs (.tsv) or BEIR folder", absolute)
  .option("--prompt <template>", "prompt of the texts (retrieval: of the queries)")
  .option("--document-prompt <template>", "prompt of the documents (retrieval)")
  .addOption(seedOption())
  .addOption(resamplesOption())
  .addOption(jsonOption())
  .action(
    (
      o: {
        encoder: string;
        task: string;
        prompt?: string;
        documentPrompt?: string;
        seed: number;
        resamples: number;
      } & JsonOption,
    ) =>
      finish(
        runCompute(
          {
            command: "eval",
            encoder: o.encoder,
            task: o.task,
            prompt: o.prompt ?? null,
            documentPrompt: o.documentPrompt ?? null,
            seed: o.seed,
            resamples: o.resamples,
          },
          o,
        ),
      ),
  );

program
  .command("compare")
  .description("compare instruction prompts on a task: best, worst, gap, confidence, texts that moved")
  .addOption(encoderOption())
  .addOption(providerOption())
  .requiredOption("-t, --task <path>", "task file (.json), sentence pairs (.tsv) or BEIR folder", absolute)
  .requiredOption(
    "--prompts <file>",
    'prompts: {"name": "template with {text}"} as JSON, or one template a line',
    absolute,
  )
  .addOption(seedOption())
  .addOption(resamplesOption())
  .addOption(jsonOption())
  .action((o: { encoder: string; task: string; prompts: string; seed: number; resamples: number } & JsonOption) =>
    finish(
      runCompute(
        {
          command: "compare",
          encoder: o.encoder,
          task: o.task,
          prompts: o.prompts,
          seed: o.seed,
          resamples: o.resamples,
        },
        o,
      ),
    ),
  );

program.addCommand(
  precisionCommand({
    finish,
    options: [providerOption(), seedOption(), resamplesOption(), jsonOption()],
    number,
    encoderReference,
    absolute,
  }),
);

program
  .command("map")
  .description("draw a UMAP of texts or vectors as one self-contained page")
  .addOption(encoderOption())
  .addOption(providerOption())
  .requiredOption("-i, --in <file>", "table of texts, or vectors.npy", absolute)
  .option("-c, --column <name>", "column with the texts (needed for a table)")
  .option("-l, --labels <name>", "column to colour by")
  .requiredOption("-o, --out <file>", "map.html", absolute)
  .addOption(new Option("-k, --neighbours <n>", "neighbours").argParser(number("--neighbours", 2)).default(15))
  .addOption(seedOption())
  .addOption(jsonOption())
  .action(
    (
      o: {
        encoder: string;
        in: string;
        column?: string;
        labels?: string;
        out: string;
        neighbours: number;
        seed: number;
      } & JsonOption,
    ) =>
      finish(
        runCompute(
          {
            command: "map",
            encoder: o.encoder,
            file: o.in,
            column: o.column ?? null,
            labels: o.labels ?? null,
            out: o.out,
            seed: o.seed,
            neighbours: o.neighbours,
          },
          o,
        ),
      ),
  );

program
  .command("train")
  .description("fine-tune an encoder as a JSON file says; Ctrl+C stops after the step and keeps a checkpoint")
  .option("--config <file>", "what to train (docs/fine-tuning.md)", absolute)
  .option("--resume <folder>", "go on with a stopped run", absolute)
  .option("--dry-run", "measure some steps, say what the run would take, and start nothing")
  .addOption(jsonOption())
  .action((o: { config?: string; resume?: string; dryRun?: true } & JsonOption) => {
    if ((o.config === undefined) === (o.resume === undefined))
      throw new CommanderError(EXIT.usage, "parallax.train", "error: name either --config FILE or --resume FOLDER.");
    if (o.dryRun && o.config === undefined)
      throw new CommanderError(EXIT.usage, "parallax.train", "error: --dry-run goes with --config FILE.");
    return finish(
      runCompute(
        o.config !== undefined
          ? { command: "train", config: o.config, dryRun: o.dryRun === true }
          : { command: "resume", folder: o.resume as string },
        o,
      ),
    );
  });

program
  .command("sweep")
  .description("fine-tunes over a grid or a random choice of settings, compared; the same command goes on")
  .requiredOption("--config <file>", "what to try (docs/sweeps.md)", absolute)
  .addOption(jsonOption())
  .action((o: { config: string } & JsonOption) => finish(runCompute({ command: "sweep", config: o.config }, o)));

for (const command of miningCommands({
  finish: (code) => finish(code),
  number,
  absolute,
  encoderOptions: () => [encoderOption(), providerOption()],
  seedOption,
  jsonOption,
}))
  program.addCommand(command);

program
  .command("runs")
  .description("list the fine-tunes below a folder")
  .argument("[folder]", "where to look", absolute, process.cwd())
  .addOption(jsonOption())
  .action((folder: string, o: JsonOption) => finish(runCompute({ command: "runs", folder }, o)));

const corpusCommand = program
  .command("corpus")
  .description("tables of any size as vectors on disk, and the nearest texts in them");
corpusCommand
  .command("encode")
  .description("encode a column into a corpus folder; stopped or killed, the same command goes on")
  .addOption(encoderOption())
  .addOption(providerOption())
  .requiredOption("-i, --in <file>", "table: tsv, csv, jsonl, txt (.gz) or parquet", absolute)
  .requiredOption("-c, --column <name>", "column with the texts")
  .option("--id <name>", "column that names the rows")
  .option("--prompt <template>", 'prompt with a place for the text, e.g. "passage: {text}"')
  .addOption(
    new Option("--dtype <type>", "numbers on disk: float16 is half the size, int8 a quarter (its loss is measured)")
      .choices(["float32", "float16", "int8"])
      .default("float32"),
  )
  .option("--float16", "the same as --dtype float16")
  .requiredOption("-o, --out <folder>", "corpus folder", absolute)
  .addOption(jsonOption())
  .action(
    (
      o: {
        encoder: string;
        in: string;
        column: string;
        id?: string;
        prompt?: string;
        dtype: "float32" | "float16" | "int8";
        float16?: true;
        out: string;
      } & JsonOption,
    ) =>
      finish(
        runCompute(
          {
            command: "corpus-encode",
            encoder: o.encoder,
            file: o.in,
            column: o.column,
            id: o.id ?? null,
            prompt: o.prompt ?? null,
            out: o.out,
            dtype: o.float16 === true ? "float16" : o.dtype,
          },
          o,
        ),
      ),
  );
corpusCommand
  .command("nearest")
  .description("the texts of a corpus nearest to each query")
  .argument("<folder>", "corpus folder", absolute)
  .argument("<query...>", "texts to look for")
  .addOption(new Option("-k <n>", "texts a query").argParser(number("-k", 1)).default(10))
  .option("--exact", "compare with every text, whatever the size")
  .option("--approximate", "use an index, whatever the size")
  .option("--held-out <file>", "other queries, one a line: with an index, its recall is measured on them too", absolute)
  .option("--prompt <template>", "prompt of the queries (default: the encoder's own for queries)")
  .addOption(jsonOption())
  .action(
    (
      folder: string,
      queries: string[],
      o: { k: number; exact?: true; approximate?: true; heldOut?: string; prompt?: string } & JsonOption,
    ) =>
      finish(
        runCompute(
          {
            command: "corpus-nearest",
            folder,
            queries,
            k: o.k,
            exact: o.exact ? true : o.approximate ? false : null,
            heldOut: o.heldOut ?? null,
            prompt: o.prompt ?? null,
          },
          o,
        ),
      ),
  );

const cacheCommand = program.command("cache").description("vectors of earlier encodes, kept on disk");
for (const [action, description] of [
  ["info", "how many, how large, where"],
  ["clear", "remove them all"],
] as const)
  cacheCommand
    .command(action)
    .description(description)
    .addOption(jsonOption())
    .action((o: JsonOption) => finish(runCompute({ command: "cache", action }, o)));

const gpu = program
  .command("gpu")
  .description("CUDA's provider for ONNX Runtime: fetch it, look at it, take it away (linux x64)")
  // Commander would show the help of no command as wrong usage.
  .action(() => gpu.help());
const sourceOption = () => new Option("--source <address>", "index.json of a NuGet v3 mirror (also PARALLAX_NUGET)");
gpu
  .command("install")
  .description("fetch CUDA's provider from nuget.org; says size and address first")
  .addOption(sourceOption())
  .option("-y, --yes", "do not ask")
  .addOption(jsonOption())
  .action((o: { source?: string; yes?: true } & JsonOption) => finish(runGpuInstall(o)));
for (const [action, what] of [
  ["status", "what is installed, and what is missing"],
  ["remove", "take away what install put there, and put back what was there before"],
] as const)
  gpu
    .command(action)
    .description(what)
    .addOption(jsonOption())
    .action((o: JsonOption) => finish(runCompute({ command: "gpu", action, source: null }, o)));
program.addCommand(encodersCommand({ finish, jsonOption, number, encoderReference }));

program
  .command("doctor")
  .description("say what works on this computer, what is missing and how to get it")
  .addOption(jsonOption())
  .action((o: JsonOption) => finish(runDoctor(o)));

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    // Commander has printed help, version or its own message already; ours are printed here.
    if (error.code.startsWith("parallax.")) process.stderr.write(`${error.message}\n`);
    exitCode = error.exitCode === 0 ? EXIT.done : EXIT.usage;
  } else {
    process.stderr.write(`${formatError(toErrorData(error))}\n`);
    exitCode = EXIT.failed;
  }
}
process.exitCode = exitCode;
