/** The folder that a host shows. Names that come from the page stay inside it, links included. */
import { type Dirent, realpathSync } from "node:fs";
import { readdir, realpath, stat } from "node:fs/promises";
import path from "node:path";
import { ParallaxError } from "../../kernels/protocol/errors.ts";
import type { HostResult } from "../../kernels/protocol/host-methods.ts";
import { readError, systemCode } from "./disk-errors.ts";
import { ignore } from "./write-atomically.ts";

type Entry = HostResult<"files.list">["entries"][number];

export class RootFolder {
  /** Absolute, as the user named it. */
  readonly path: string;
  readonly #real: string;
  /** True in the desktop window, whose file dialogs may name any file. */
  readonly #open: boolean;

  constructor(root: string, options: { confined: boolean }) {
    this.path = path.resolve(root);
    this.#real = realpathSync(this.path);
    this.#open = !options.confined;
  }

  /** How a file is named to the page: relative with "/" when inside the root, else absolute. */
  name(file: string): string {
    for (const root of [this.path, this.#real]) {
      const relative = path.relative(root, file);
      if (relative !== "" && !isOutside(relative)) return relative.split(path.sep).join("/");
    }
    return file;
  }

  /**
   * Real absolute path of a name from the page; of the nearest folder that exists, when the file does not.
   * @throws {ParallaxError} file.outside-root  also when a symbolic link leads out
   */
  async resolve(name: string): Promise<string> {
    if (name.includes("\0")) throw outside(name, this.path);
    const wanted = path.resolve(this.path, name);
    if (!this.#open && isOutside(path.relative(this.path, wanted))) throw outside(name, this.path);
    const real = await realOrNearest(wanted);
    if (!this.#open && isOutside(path.relative(this.#real, real))) throw outside(name, this.path);
    return real;
  }

  /** Entries of a folder: folders first, then notebooks and files by name. Hidden ones and node_modules are left out. */
  async list(folder: string): Promise<Entry[]> {
    const real = await this.resolve(folder);
    let found: Dirent[];
    try {
      found = await readdir(real, { withFileTypes: true });
    } catch (error) {
      throw readError(real, error);
    }
    const entries = await Promise.all(
      found
        .filter((entry) => !entry.name.startsWith(".") && entry.name !== "node_modules")
        .map((entry) => this.#entry(real, folder, entry.name)),
    );
    const rank = (entry: Entry) => ({ folder: 0, notebook: 1, file: 2 })[entry.kind];
    return entries
      .filter((entry) => entry !== undefined)
      .sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name, "en", { numeric: true }));
  }

  async #entry(realFolder: string, folder: string, name: string): Promise<Entry | undefined> {
    const full = path.join(realFolder, name);
    // A link that leads nowhere, or out of the root, is not offered.
    const real = await realpath(full).catch(ignore("ENOENT", "ELOOP", "EACCES", "ENOTDIR"));
    if (real === undefined || (!this.#open && isOutside(path.relative(this.#real, real)))) return undefined;
    const found = await stat(real).catch(ignore("ENOENT", "EACCES"));
    if (found === undefined || !(found.isDirectory() || found.isFile())) return undefined;
    const kind = found.isDirectory() ? "folder" : name.toLowerCase().endsWith(".ipynb") ? "notebook" : "file";
    return {
      name,
      path: path.posix.join(folder.split(path.sep).join("/"), name),
      kind,
      modifiedAt: found.mtime.toISOString(),
      sizeBytes: found.size,
    };
  }
}

function isOutside(relative: string): boolean {
  return relative === ".." || relative.startsWith(`..${path.sep}`) || path.isAbsolute(relative);
}

function outside(name: string, root: string): ParallaxError {
  return new ParallaxError(
    "file.outside-root",
    `${JSON.stringify(name.slice(0, 200))} is outside of the folder that this Parallax shows (${root}). Nothing was read or written.`,
    { hint: "Start Parallax in a folder above the file, or copy the file into this one." },
  );
}

async function realOrNearest(wanted: string): Promise<string> {
  try {
    return await realpath(wanted);
  } catch (error) {
    if (!["ENOENT", "ENOTDIR"].includes(systemCode(error) ?? "")) throw readError(wanted, error);
    const parent = path.dirname(wanted);
    return parent === wanted ? wanted : path.join(await realOrNearest(parent), path.basename(wanted));
  }
}
