/**
 * Small things that one computer remembers: one JSON file each, in a folder of the app's data. A damaged file is as good
 * as none, for what it held can be found out again.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import type { z } from "zod";
import { appFolder, appFolders } from "./app-folders.ts";
import { writeFileAtomically } from "./atomic-file.ts";

export class JsonMemory<T> {
  readonly #name: string;
  readonly #schema: z.ZodType<T>;

  /** @param name of the folder; @param schema what a file holds: another version is as good as none. */
  constructor(name: string, schema: z.ZodType<T>) {
    this.#name = name;
    this.#schema = schema;
  }

  /** Where the entry of a key is, whether it is there or not. */
  file(key: string): string {
    return path.join(this.#folder(), `${createHash("sha256").update(key).digest("hex").slice(0, 32)}.json`);
  }

  get(key: string): T | undefined {
    return this.#read(this.file(key));
  }

  /** @throws {ParallaxError} file.write-failed */
  set(key: string, value: T): void {
    appFolder("data", this.#name);
    writeFileAtomically(this.file(key), [`${JSON.stringify(value, null, 2)}\n`]);
  }

  /** Every entry, in no order. */
  all(): T[] {
    const folder = this.#folder();
    if (!existsSync(folder)) return [];
    return readdirSync(folder)
      .filter((name) => name.endsWith(".json"))
      .map((name) => this.#read(path.join(folder, name)))
      .filter((value) => value !== undefined);
  }

  #folder(): string {
    return path.join(appFolders().data, this.#name);
  }

  #read(file: string): T | undefined {
    let text: string;
    try {
      text = readFileSync(file, "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
    try {
      const parsed = this.#schema.safeParse(JSON.parse(text));
      return parsed.success ? parsed.data : undefined;
    } catch (error) {
      if (error instanceof SyntaxError) return undefined;
      throw error;
    }
  }
}
