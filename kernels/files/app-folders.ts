/** Where Parallax keeps its own files. PARALLAX_HOME puts all three below one folder; tests and portable installs use it. */
import { mkdirSync } from "node:fs";
import path from "node:path";
import envPaths from "env-paths";
import { ParallaxError } from "../protocol/errors.ts";

export interface AppFolders {
  /** Made again when deleted: built graphs, file digests. */
  readonly cache: string;
  readonly config: string;
  /** Not made again: downloaded encoders, runs without a notebook. */
  readonly data: string;
}

/** The three folders as absolute paths. Nothing is created. Reads the environment each time, so that tests may move it. */
export function appFolders(): AppFolders {
  const home = process.env.PARALLAX_HOME;
  if (home !== undefined && home !== "") {
    const root = path.resolve(home);
    return { cache: path.join(root, "cache"), config: path.join(root, "config"), data: path.join(root, "data") };
  }
  const { cache, config, data } = envPaths("parallax", { suffix: "" });
  return { cache, config, data };
}

/**
 * A folder inside one of the three, made when it is missing.
 * @throws {ParallaxError} file.write-failed (environment)
 */
export function appFolder(kind: keyof AppFolders, ...parts: string[]): string {
  const folder = path.join(appFolders()[kind], ...parts);
  try {
    mkdirSync(folder, { recursive: true });
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code ?? "unknown";
    throw new ParallaxError("file.write-failed", `The folder ${folder} could not be made (${code}).`, {
      kind: "environment",
      hint: "Make it writable, or set PARALLAX_HOME to a folder that may be written to.",
      details: { folder, systemCode: code },
      cause: error,
    });
  }
  return folder;
}
