/** Unsaved edits, kept in the app's data folder until they are saved or dropped, so that a crash loses seconds at most. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import type { Notebook } from "../../notebooks/format/model.ts";
import { madePrivate } from "./app-folders.ts";
import { systemCode } from "./disk-errors.ts";
import { isRunning, thisProcess } from "./process-identity.ts";
import { writeAtomically } from "./write-atomically.ts";

const backupSchema = z.object({
  version: z.literal(1),
  owner: z.object({ pid: z.number(), start: z.string().nullable() }),
  /** Real path of the file; null for a notebook that was never saved. */
  file: z.string().nullable(),
  name: z.string(),
  /** Digest of the file that the edits began from, to notice that it changed since. */
  baseSha256: z.string().nullable(),
  writtenAt: z.string(),
  notebook: z.object({
    nbformat: z.literal(4),
    nbformat_minor: z.number(),
    metadata: z.record(z.string(), z.unknown()),
    cells: z.array(z.looseObject({ id: z.string(), cell_type: z.string(), source: z.string() })),
  }),
});

export interface Backup {
  file: string | null;
  name: string;
  baseSha256: string | null;
  writtenAt: string;
  notebook: Notebook;
}

export class Backups {
  readonly folder: string;

  constructor(dataFolder: string) {
    this.folder = path.join(dataFolder, "backups");
  }

  /** @param key real path of the file, or the document's id when it has none. */
  async write(key: string, backup: Omit<Backup, "writtenAt">): Promise<void> {
    madePrivate(this.folder);
    const record = { version: 1, owner: thisProcess(), writtenAt: new Date().toISOString(), ...backup };
    await writeAtomically(this.#place(key), JSON.stringify(record), { mode: 0o600 });
  }

  remove(key: string): void {
    rmSync(this.#place(key), { force: true });
  }

  /** What a Parallax that is gone left for this file. A damaged backup is kept aside, not deleted. */
  find(key: string): Backup | null {
    return this.#read(this.#place(key));
  }

  /**
   * Left-over edits of a notebook that never had a file: the newest. Removing it is up to who took it.
   * @param open ids of documents that are open here: their backups are not left over.
   */
  findUntitled(open: readonly string[]): { backup: Backup; remove(): void } | null {
    const ours = new Set(open.map((key) => this.#place(key)));
    let names: string[];
    try {
      names = readdirSync(this.folder);
    } catch (error) {
      if (systemCode(error) === "ENOENT") return null;
      throw error;
    }
    const found = names
      .filter((name) => name.endsWith(".json"))
      .map((name) => path.join(this.folder, name))
      .filter((place) => !ours.has(place))
      .flatMap((place) => {
        const backup = this.#read(place);
        return backup !== null && backup.file === null ? [{ place, backup }] : [];
      })
      .sort((a, b) => (a.backup.writtenAt < b.backup.writtenAt ? 1 : -1))[0];
    if (found === undefined) return null;
    return { backup: found.backup, remove: () => rmSync(found.place, { force: true }) };
  }

  #place(key: string): string {
    return path.join(this.folder, `${createHash("sha256").update(key).digest("hex").slice(0, 32)}.json`);
  }

  #read(place: string): Backup | null {
    let text: string;
    try {
      text = readFileSync(place, "utf8");
    } catch (error) {
      if (systemCode(error) === "ENOENT") return null;
      throw error;
    }
    const parsed = backupSchema.safeParse(parseJson(text));
    if (!parsed.success) return null;
    // Its writer still runs: those edits are open there, not lost.
    if (parsed.data.owner.pid !== process.pid && isRunning(parsed.data.owner)) return null;
    const { file, name, baseSha256, writtenAt, notebook } = parsed.data;
    return { file, name, baseSha256, writtenAt, notebook: notebook as unknown as Notebook };
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
