/** What went wrong with a file, in four parts: what failed, why with real values, what is safe, what can be done. */
import { statfsSync } from "node:fs";
import path from "node:path";
import { ParallaxError } from "../../kernels/protocol/errors.ts";

export function systemCode(error: unknown): string | undefined {
  const code = (error as NodeJS.ErrnoException | null)?.code;
  return typeof code === "string" ? code : undefined;
}

/** Names of actions that the page offers beside an error, in `details.actions`. */
export type SaveAction = "overwrite" | "save-elsewhere" | "reload" | "retry";

/** A failed write of a notebook. `safe` says where the edits are now. */
export function saveError(file: string, error: unknown, safe: string): ParallaxError {
  const folder = path.dirname(file);
  const code = systemCode(error);
  const build = (name: string, why: string, hint: string, actions: SaveAction[]) =>
    new ParallaxError(`save.${name}`, `Not saved: ${why}. ${safe}`, {
      kind: "environment",
      hint,
      details: { path: file, systemCode: code, actions },
      cause: error,
    });
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return build(
        "disk-full",
        `${code === "EDQUOT" ? "your quota is used up" : "the disk is full"} (${freeBytes(folder)} on ${folder})`,
        "Save elsewhere, or free some space and save again.",
        ["save-elsewhere", "retry"],
      );
    case "EROFS":
      return build("read-only-disk", `${folder} is on a read-only disk`, "Save elsewhere.", ["save-elsewhere"]);
    case "EACCES":
    case "EPERM":
      return build(
        "no-permission",
        `you may not write ${file}`,
        "Save elsewhere, or ask for the right to write there.",
        ["save-elsewhere", "retry"],
      );
    case "ENOENT":
    case "ENOTDIR":
      return build("folder-gone", `the folder ${folder} is gone`, "Save elsewhere.", ["save-elsewhere", "retry"]);
    case "ENAMETOOLONG":
      return build(
        "name-too-long",
        `the name ${path.basename(file)} is too long for this disk`,
        "Choose a shorter name.",
        ["save-elsewhere"],
      );
    default:
      return build(
        "failed",
        `${path.basename(file)} could not be written (${code ?? String(error)})`,
        "Save again, or save elsewhere.",
        ["retry", "save-elsewhere"],
      );
  }
}

/** A failed read of a file that the user named. */
export function readError(file: string, error: unknown): ParallaxError {
  const code = systemCode(error);
  const why =
    code === "ENOENT"
      ? "there is no such file"
      : code === "EACCES" || code === "EPERM"
        ? "you may not read it"
        : code === "EISDIR"
          ? "it is a folder"
          : (code ?? String(error));
  return new ParallaxError(
    code === "ENOENT" ? "file.missing" : "file.unreadable",
    `${path.basename(file)} could not be opened: ${why} (${file}).`,
    {
      kind: "environment",
      hint: "Choose another file, or look whether it was moved.",
      details: { path: file },
      cause: error,
    },
  );
}

function freeBytes(folder: string): string {
  try {
    const { bavail, bsize } = statfsSync(folder);
    const bytes = bavail * bsize;
    if (bytes < 1000) return `${bytes} B free`;
    return bytes < 1e9 ? `${(bytes / 1e6).toFixed(1)} MB free` : `${(bytes / 1e9).toFixed(1)} GB free`;
  } catch (error) {
    return `free space unknown: ${systemCode(error) ?? "unreadable"}`;
  }
}
