/** Files are written beside, synced and renamed: whoever looks, and whenever the power goes, the file is old or new, never half. */
import { type FileHandle, open, realpath, rename, rm, stat } from "node:fs/promises";
import path from "node:path";
import { systemCode } from "./disk-errors.ts";

/** The disk operations that can fail while saving; tests put real failing ones in their place. */
export interface Disk {
  open(file: string, flags: string, mode: number): Promise<FileHandle>;
  rename(from: string, to: string): Promise<void>;
}
export const realDisk: Disk = { open, rename };

let serial = 0;

/**
 * Replaces a file's content. Its mode stays, and a symbolic link stays a link: what it points to is replaced.
 *
 * @param mode for a file that is not there yet; the process's umask applies.
 * Errors are Node's own; nothing is left beside and the old content is whole.
 */
export async function writeAtomically(
  file: string,
  content: Uint8Array | string,
  { mode = 0o666, disk = realDisk }: { mode?: number; disk?: Disk } = {},
): Promise<void> {
  const target = await linkTarget(file);
  const before = await stat(target).catch(ignore("ENOENT"));
  // Hidden and unlike a notebook's name, so that no other program takes a half-written one for a document.
  const beside = path.join(
    path.dirname(target),
    `.${path.basename(target).slice(0, 200)}.${process.pid}-${serial++}.part`,
  );
  try {
    const handle = await disk.open(beside, "wx", mode);
    try {
      await handle.writeFile(content);
      if (before !== undefined) await handle.chmod(before.mode & 0o7777).catch(ignore("EPERM", "ENOSYS", "ENOTSUP"));
      await handle.sync();
    } finally {
      await handle.close();
    }
    await disk.rename(beside, target);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
  await syncFolder(path.dirname(target));
}

/** The file that a link leads to, also when that file is not there yet. */
async function linkTarget(file: string): Promise<string> {
  return (await realpath(file).catch(ignore("ENOENT"))) ?? file;
}

/** Makes the rename itself survive a power cut. Not every system lets folders be synced. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === "win32") return;
  const handle = await open(folder, "r").catch(ignore("EACCES"));
  if (handle === undefined) return;
  try {
    await handle.sync().catch(ignore("EINVAL", "ENOTSUP", "EPERM"));
  } finally {
    await handle.close();
  }
}

/** Turns the named system errors into undefined; all others go on. */
export function ignore(...codes: string[]): (error: unknown) => undefined {
  return (error) => {
    if (codes.includes(systemCode(error) ?? "")) return undefined;
    throw error;
  };
}
