/** The user's settings: a file that may be edited by hand. What is wrong in it costs that one setting, and is told with its line. */
import { cpus } from "node:os";
import path from "node:path";
import { findNodeAtLocation, getNodeValue, parse, parseTree } from "jsonc-parser";
import { type ErrorData, ParallaxError, toErrorData } from "../../kernels/protocol/errors.ts";
import { type Settings, settingsSchema } from "../../kernels/protocol/host-methods.ts";
import { madePrivate } from "./app-folders.ts";
import { firstFault, lineOf, textOf } from "./json-file.ts";
import { writeAtomically } from "./write-atomically.ts";

export function defaultSettings(): Settings {
  // Half the cores: the other half keeps page and system fluid.
  return { theme: "system", density: "comfortable", threads: defaultThreads(cpus().length) };
}

export class SettingsFile {
  readonly file: string;
  #settings: Settings;
  /** Everything in the file, settings of other versions included. */
  #raw: Record<string, unknown> = {};
  readonly problems: ErrorData[] = [];
  #isBroken = false;

  constructor(configFolder: string) {
    this.file = path.join(configFolder, "settings.json");
    this.#settings = this.#read();
  }

  get(): Settings {
    return this.#settings;
  }

  /** @throws {ParallaxError} settings.not-saved; the setting holds until Parallax ends all the same */
  async set(change: Partial<Settings>): Promise<Settings> {
    this.#settings = { ...this.#settings, ...change };
    this.#raw = { ...this.#raw, ...change };
    try {
      madePrivate(path.dirname(this.file));
      if (this.#isBroken) {
        // What the user wrote is theirs: it is kept beside.
        await writeAtomically(`${this.file}.broken`, textOf(this.file) ?? "");
        this.#isBroken = false;
      }
      await writeAtomically(this.file, `${JSON.stringify(this.#raw, null, 2)}\n`);
    } catch (cause) {
      throw new ParallaxError("settings.not-saved", `The setting is in use, but ${this.file} could not be written.`, {
        kind: "environment",
        hint: "Look at the rights and the free space of that folder.",
        cause,
      });
    }
    return this.#settings;
  }

  #read(): Settings {
    const settings = defaultSettings();
    const text = textOf(this.file);
    if (text === null || text.trim() === "") return settings;
    const fault = firstFault(text);
    const raw: unknown = parse(text, [], { allowTrailingComma: true });
    if (fault !== null || typeof raw !== "object" || raw === null || Array.isArray(raw)) {
      const where = fault === null ? "it is no object" : `line ${fault.line}: ${fault.what}`;
      this.#tell(`${this.file} is not valid JSON (${where}). Default settings are used; the file was not changed.`);
      this.#isBroken = true;
      return settings;
    }
    this.#raw = raw as Record<string, unknown>;
    const tree = parseTree(text, [], { allowTrailingComma: true });
    for (const [name, schema] of Object.entries(settingsSchema.shape)) {
      if (!(name in this.#raw)) continue;
      const parsed = schema.safeParse(this.#raw[name]);
      if (parsed.success) {
        Object.assign(settings, { [name]: parsed.data });
        continue;
      }
      const node = tree === undefined ? undefined : findNodeAtLocation(tree, [name]);
      const line = node === undefined ? 1 : lineOf(text, node.offset);
      const found = node === undefined ? "" : JSON.stringify(getNodeValue(node));
      const why = parsed.error.issues[0]?.message ?? "not valid";
      this.#tell(`${this.file} line ${line}: ${name} is ${found}. ${why}. The default is used for this one.`);
    }
    return settings;
  }

  #tell(message: string): void {
    const hint = "Correct the file, or change the setting here.";
    this.problems.push(
      toErrorData(new ParallaxError("settings.invalid", message, { hint, details: { file: this.file } })),
    );
  }
}

/** The kernels' own rule for larger models (kernels/graph/session.ts), so that page and command line compute alike. */
function defaultThreads(cores: number): number {
  return cores <= 2 ? Math.max(1, cores) : Math.min(8, Math.floor(cores / 2));
}
