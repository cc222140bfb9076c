/** `parallax mine`, `parallax filter`, `parallax leaks`: words to requests. */
import { Command, CommanderError, Option } from "commander";
import { type CliRequest, EXIT } from "../../kernels/protocol/cli-messages.ts";
import { type OutputOptions, runCompute } from "./compute-command.ts";

interface SourceWords extends OutputOptions {
  in: string;
  anchor?: string;
  positive?: string;
  negative?: string[];
  group?: string;
  dropBad?: true;
}

interface MineWords extends SourceWords {
  encoder: string;
  out: string;
  negatives: number;
  ranks: [number, number];
  margin?: number;
  relativeMargin: number | null;
  sample: "top" | "random";
  short: "drop" | "keep" | "fill";
  corpus?: string;
  column?: string;
  seed: number;
}

function wrong(message: string): CommanderError {
  return new CommanderError(EXIT.usage, "parallax.mining", `error: ${message}`);
}

function real(name: string): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isFinite(value)) throw wrong(`${name} must be a number, found "${text}".`);
    return value;
  };
}

function rankRange(text: string): [number, number] {
  const match = /^(\d+)-(\d+)$/.exec(text);
  if (match === null) throw wrong(`--ranks must be like 1-200, found "${text}".`);
  return [Number(match[1]), Number(match[2])];
}

function source(o: SourceWords): Pick<Extract<CliRequest, { command: "mine" }>, "file" | "columns" | "dropBad"> {
  return {
    file: o.in,
    columns: {
      anchor: o.anchor ?? null,
      positive: o.positive ?? null,
      negatives: o.negative ?? [],
      group: o.group ?? null,
    },
    dropBad: o.dropBad === true,
  };
}

export function miningCommands(kit: {
  finish: (code: Promise<number>) => Promise<void>;
  number: (name: string, least: number) => (text: string) => number;
  absolute: (text: string) => string;
  encoderOptions: () => readonly Option[];
  seedOption: () => Option;
  jsonOption: () => Option;
}): Command[] {
  const { finish, number, absolute, encoderOptions, seedOption, jsonOption } = kit;
  const command = (name: string, description: string, options: readonly Option[]) => {
    const made = new Command(name)
      .description(description)
      .requiredOption("-i, --in <file>", "rows: tsv, csv, jsonl, json (.gz) or parquet", absolute)
      .option("--anchor <name>", "column of the anchors (default: customary names)")
      .option("--positive <name>", "column of the positives")
      .option("--negative <name...>", "columns of negatives that rows have")
      .option("--group <name>", "column of the groups")
      .option("--drop-bad", "leave rows out that cannot be trained on, instead of stopping");
    for (const option of options) made.addOption(option);
    return made;
  };
  const out = new Option("-o, --out <file>", "rows: .jsonl, .json or .tsv").argParser(absolute).makeOptionMandatory();
  const mine = command("mine", "hard negatives for the rows of a file, with a report", [
    ...encoderOptions(),
    out,
    new Option("-n, --negatives <n>", "negatives a row").argParser(number("--negatives", 1)).default(1),
    new Option("--ranks <from-to>", "ranks that are looked at").argParser(rankRange).default([1, 200], "1-200"),
    new Option("--margin <cosine>", "how far below the positive's cosine").argParser(real("--margin")),
    new Option("--relative-margin <share>", 'below (1 − share) of the positive\'s cosine, or "none"')
      .argParser((text) => (text === "none" ? null : real("--relative-margin")(text)))
      .default(0.05),
    new Option("--sample <how>", "which of what is left").choices(["top", "random"]).default("random"),
    new Option("--short <how>", "rows with too few").choices(["drop", "keep", "fill"]).default("drop"),
    new Option("--corpus <file>", "table of candidate texts (default: the positives)").argParser(absolute),
    new Option("-c, --column <name>", "column of --corpus"),
    seedOption(),
    jsonOption(),
  ]).action((o: MineWords) => {
    if (o.corpus !== undefined && o.column === undefined) throw wrong("--corpus needs --column.");
    const { encoder, negatives, ranks, relativeMargin, sample, short, seed } = o;
    return finish(
      runCompute(
        {
          command: "mine",
          ...source(o),
          ...{ encoder, out: o.out, negatives, ranks, relativeMargin, sample, short, seed },
          margin: o.margin ?? null,
          corpus: o.corpus === undefined ? null : { file: o.corpus, column: o.column ?? "" },
        },
        o,
      ),
    );
  });
  const filter = command("filter", "the pairs that an encoder finds again among many (consistency filter)", [
    ...encoderOptions(),
    out,
    new Option("--pool <n>", "random positives each pair is ranked against")
      .argParser(number("--pool", 2))
      .default(10_000),
    new Option("-k <n>", "kept: among the k nearest").argParser(number("-k", 1)).default(2),
    seedOption(),
    jsonOption(),
  ]).action((o: SourceWords & { encoder: string; out: string; pool: number; k: number; seed: number }) => {
    const { encoder, pool, k, seed } = o;
    return finish(runCompute({ command: "filter", ...source(o), encoder, out: o.out, pool, k, seed }, o));
  });
  const leaks = command("leaks", "texts that rows share with evaluation tasks; exit code 1 when there are any", [
    new Option("-t, --task <path...>", "task files, sentence pairs or BEIR folders").makeOptionMandatory(),
    new Option("-o, --out <file>", "write the rows without them: .jsonl, .json or .tsv").argParser(absolute),
    new Option("--no-documents", "documents of retrieval tasks do not count"),
    jsonOption(),
  ]).action((o: SourceWords & { task: string[]; out?: string; documents: boolean }) =>
    finish(
      runCompute(
        {
          command: "leaks",
          ...source(o),
          tasks: o.task.map(absolute),
          out: o.out ?? null,
          documents: o.documents,
        },
        o,
      ),
    ),
  );
  return [mine, filter, leaks];
}
