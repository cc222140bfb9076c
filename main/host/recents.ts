/** Notebooks and run folders that were used last. Losing this file loses convenience only, so damage starts it anew. */
import { existsSync } from "node:fs";
import path from "node:path";
import { z } from "zod";
import type { HostResult } from "../../kernels/protocol/host-methods.ts";
import { madePrivate } from "./app-folders.ts";
import { parseJson, textOf } from "./json-file.ts";
import { writeAtomically } from "./write-atomically.ts";

const MOST_NOTEBOOKS = 30;
const MOST_RUNS = 200;

const schema = z.object({
  notebooks: z.array(z.object({ file: z.string(), openedAt: z.string() })),
  runs: z.array(z.string()),
});

export class Recents {
  readonly #file: string;
  #writing: Promise<void> = Promise.resolve();

  constructor(dataFolder: string) {
    this.#file = path.join(dataFolder, "recents.json");
  }

  async notebooks(nameOf: (file: string) => string): Promise<HostResult<"app.start-page">["recents"]> {
    await this.#writing;
    return this.#read().notebooks.map(({ file, openedAt }) => ({
      path: nameOf(file),
      name: path.basename(file),
      openedAt,
      missing: !existsSync(file),
    }));
  }

  async runs(): Promise<string[]> {
    await this.#writing;
    return this.#read().runs;
  }

  opened(file: string): Promise<void> {
    return this.#change((recents) => ({
      ...recents,
      notebooks: [
        { file, openedAt: new Date().toISOString() },
        ...recents.notebooks.filter((each) => each.file !== file),
      ].slice(0, MOST_NOTEBOOKS),
    }));
  }

  ranIn(folder: string): Promise<void> {
    return this.#change((recents) => ({
      ...recents,
      runs: [folder, ...recents.runs.filter((each) => each !== folder)].slice(0, MOST_RUNS),
    }));
  }

  /** Read again each time: another Parallax may have written it. */
  #change(change: (recents: z.infer<typeof schema>) => z.infer<typeof schema>): Promise<void> {
    const next = this.#writing.then(async () => {
      madePrivate(path.dirname(this.#file));
      await writeAtomically(this.#file, JSON.stringify(change(this.#read()), null, 2), { mode: 0o600 });
    });
    this.#writing = next.catch(() => undefined);
    return next;
  }

  #read(): z.infer<typeof schema> {
    const text = textOf(this.#file);
    const parsed = schema.safeParse(text === null ? null : parseJson(text));
    return parsed.success ? parsed.data : { notebooks: [], runs: [] };
  }
}
