/** The words of `parallax encoders …`. */
import { text as readAll } from "node:stream/consumers";
import { Command, Option } from "commander";
import { EXIT } from "../../kernels/protocol/cli-messages.ts";
import { type OutputOptions, runCompute } from "./compute-command.ts";

interface Shared {
  finish(code: Promise<number>): Promise<void>;
  jsonOption(): Option;
  number(name: string, least: number): (text: string) => number;
  encoderReference(text: string): string;
}

export function encodersCommand({ finish, jsonOption, number, encoderReference }: Shared): Command {
  const encoders = new Command("encoders").description("encoders on this computer and at the hub").exitOverride();

  encoders
    .command("list", { isDefault: true })
    .description("what is here: installed, downloaded and half downloaded encoders")
    .option("-a, --all", "also the known ones that could be downloaded")
    .addOption(jsonOption())
    .action((o: { all?: true } & OutputOptions) =>
      finish(runCompute({ command: "encoders", action: "list", all: o.all === true }, o)),
    );

  encoders
    .command("find")
    .description("look for encoders at the hub, most downloaded first")
    .argument("<words...>", "part of a name")
    .addOption(new Option("-n, --limit <n>", "rows").argParser(number("--limit", 1)).default(20))
    .addOption(jsonOption())
    .action((words: string[], o: { limit: number } & OutputOptions) =>
      finish(
        runCompute({ command: "encoders", action: "find", query: words.join(" "), limit: Math.min(100, o.limit) }, o),
      ),
    );

  encoders
    .command("download")
    .description("download an encoder, or go on with it; Ctrl+C keeps what has come")
    .argument("<id>", 'owner and name at the hub, e.g. "BAAI/bge-small-en-v1.5"')
    .option("-r, --revision <revision>", "commit, branch or tag (default: the newest)")
    .option("--variant <file>", "an ONNX file of the model in place of its weights, e.g. onnx/model_int8.onnx")
    .option("--trust-hub", "take files although the hash that is published for them is another one")
    .addOption(jsonOption())
    .action((id: string, o: { revision?: string; variant?: string; trustHub?: true } & OutputOptions) =>
      finish(
        runCompute(
          {
            command: "encoders",
            action: "download",
            id,
            revision: o.revision ?? null,
            variant: o.variant ?? null,
            trustHub: o.trustHub === true,
          },
          o,
        ),
      ),
    );

  encoders
    .command("remove")
    .description("remove a downloaded encoder, or the part of one")
    .argument("<id>", "owner and name")
    .addOption(jsonOption())
    .action((id: string, o: OutputOptions) => finish(runCompute({ command: "encoders", action: "remove", id }, o)));

  encoders
    .command("measure")
    .description("texts a second on this computer, in about five seconds")
    .argument("[encoder]", "installed name, folder or downloaded hub id", encoderReference, "default")
    .addOption(jsonOption())
    .action((encoder: string, o: OutputOptions) =>
      finish(runCompute({ command: "encoders", action: "measure", encoder }, o)),
    );

  const token = encoders
    .command("token")
    .description("the hub's address, and where your token is kept; never the token itself")
    .addOption(jsonOption())
    .action((o: OutputOptions) => finish(runCompute({ command: "encoders", action: "settings" }, o)));
  token
    .command("set")
    .description("keep a token in a file that only you can read; it is read from standard input")
    .action(() => finish(setToken()));
  token
    .command("forget")
    .description("delete that file")
    .action(() => finish(runCompute({ command: "encoders", action: "set-token", token: null }, {})));
  return encoders;
}

/** Not from the command line: other users see the arguments of a process, and the shell keeps them. */
async function setToken(): Promise<number> {
  if (process.stdin.isTTY) process.stderr.write("Paste the token, then Enter and Ctrl+D:\n");
  const token = (await readAll(process.stdin)).trim();
  if (token !== "") return runCompute({ command: "encoders", action: "set-token", token }, {});
  process.stderr.write("error: no token came on standard input.\n");
  return EXIT.usage;
}
