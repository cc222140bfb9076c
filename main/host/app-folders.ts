/** Where Parallax keeps its own files. PARALLAX_HOME puts all of them below one folder; tests and portable installs use it. */
import { mkdirSync } from "node:fs";
import path from "node:path";
import envPaths from "env-paths";

export interface AppFolders {
  /** Can be made again at any time. */
  cache: string;
  config: string;
  /** Backups, locks, what was opened last. */
  data: string;
}

export function appFolders(home: string | undefined = process.env.PARALLAX_HOME): AppFolders {
  if (home !== undefined && home !== "") {
    const root = path.resolve(home);
    return { cache: path.join(root, "cache"), config: path.join(root, "config"), data: path.join(root, "data") };
  }
  const { cache, config, data } = envPaths("parallax", { suffix: "" });
  return { cache, config, data };
}

/** Makes a folder that only this user may look into: backups hold what the notebooks hold. */
export function madePrivate(folder: string): string {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  return folder;
}
