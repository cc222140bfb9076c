/** One open notebook: the only owner of its content, its file and its unsaved edits. */
import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { type ErrorData, ParallaxError, toErrorData } from "../../kernels/protocol/errors.ts";
import type { HostEvent, HostEventPayload, OpenedNotebook } from "../../kernels/protocol/host-methods.ts";
import type { Notebook, NotebookOp } from "../../notebooks/format/model.ts";
import { applyOps } from "../../notebooks/format/ops.ts";
import { decodeNotebook } from "../../notebooks/format/parse.ts";
import { encodeNotebook, printNotebook } from "../../notebooks/format/print.ts";
import type { NotebookSource } from "../../notebooks/format/source.ts";
import type { Backups } from "./backups.ts";
import { readError, type SaveAction, saveError, systemCode } from "./disk-errors.ts";
import type { FileLocks, Lock, LockOwner } from "./file-lock.ts";
import { type Disk, ignore, realDisk, writeAtomically } from "./write-atomically.ts";

export type Emit = <E extends HostEvent>(event: E, payload: HostEventPayload<E>) => void;

export interface DocumentServices {
  emit: Emit;
  locks: FileLocks;
  backups: Backups;
  /** How a file is named to the page. */
  nameOf(file: string): string;
  disk?: Disk;
}

/** The part of an OpenedNotebook that the document knows. */
export type DocumentView = Omit<OpenedNotebook, "kernel" | "cells">;

interface FileState {
  sha256: string;
  /** Cheap sign that the file may have changed since its content was read. */
  stamp: string;
}

export class Document {
  readonly id: string;
  /** Real absolute path; null until it is first saved. */
  file: string | null;
  name: string;
  notebook: Notebook;
  revision = 0;
  /** Revision that the file holds. */
  savedRevision = 0;
  #services: DocumentServices;
  #source: NotebookSource | null = null;
  #disk: FileState | null = null;
  #saved: Notebook | null;
  #savedAt: string | null = null;
  #problem: ErrorData | null = null;
  #lock: Lock | null = null;
  #heldBy: LockOwner | null = null;
  #recovered = false;
  #backedUp: Notebook | null = null;
  #saving: Promise<unknown> = Promise.resolve();
  /** Digest of the foreign content that was reported, so that it is reported once. */
  #reported: string | null = null;

  /** A notebook that has no file yet. */
  constructor(id: string, name: string, notebook: Notebook, services: DocumentServices) {
    this.id = id;
    this.file = null;
    this.name = name;
    this.notebook = notebook;
    this.#saved = notebook;
    this.#services = services;
  }

  /** @throws {ParallaxError} file.missing, file.unreadable. A damaged notebook opens read-only instead. */
  static async open(id: string, file: string, services: DocumentServices): Promise<Document> {
    const empty: Notebook = { nbformat: 4, nbformat_minor: 5, metadata: {}, cells: [] };
    const document = new Document(id, path.basename(file), empty, services);
    document.file = file;
    await document.#read();
    if (document.#problem === null) {
      document.#takeLock();
      if (document.#lock !== null) document.#recover();
    }
    return document;
  }

  get isDirty(): boolean {
    return this.notebook !== this.#saved;
  }
  get isReadOnly(): boolean {
    return this.#problem !== null || this.#heldBy !== null;
  }
  /** The folder that cells run in. */
  get folder(): string | null {
    return this.file === null ? null : path.dirname(this.file);
  }

  view(): DocumentView {
    return {
      docId: this.id,
      path: this.file === null ? null : this.#services.nameOf(this.file),
      name: this.name,
      notebook: this.notebook as unknown as OpenedNotebook["notebook"],
      revision: this.revision,
      dirty: this.isDirty,
      savedAt: this.#savedAt,
      readOnly: this.isReadOnly,
      problem: this.#problem ?? (this.#heldBy === null ? null : openElsewhere(this.name, this.#heldBy)),
      recovered: this.#recovered,
    };
  }

  /** Operations of a page. @throws {ParallaxError} notebook.read-only */
  edit(ops: NotebookOp[], origin: string): number {
    if (this.isReadOnly && ops.length > 0)
      throw new ParallaxError("notebook.read-only", `${this.name} is shown read-only here. The edit was not made.`, {
        hint: "Save it under another name to edit the copy.",
        details: { actions: ["save-elsewhere"] satisfies SaveAction[] },
      });
    return this.apply(ops, origin);
  }

  /** Operations of the kernel too, which may show outputs in a notebook that is not written. */
  apply(ops: NotebookOp[], origin: string): number {
    const after = applyOps(this.notebook, ops);
    if (after === this.notebook) return this.revision;
    this.notebook = after;
    this.revision++;
    this.#services.emit("notebook.changed", {
      docId: this.id,
      revision: this.revision,
      origin,
      ops: ops as unknown as { type: string }[],
    });
    return this.revision;
  }

  /** One save after the other: two at once would each take the other for a stranger. */
  save(options: { file?: string; overwrite?: boolean }): Promise<{ savedAt: string }> {
    const next = this.#saving.then(() => this.#save(options));
    this.#saving = next.catch(() => undefined);
    return next;
  }

  async #save({ file = this.file ?? undefined, overwrite = false }: { file?: string; overwrite?: boolean }) {
    if (file === undefined)
      throw new ParallaxError("save.no-name", "The notebook has no name yet.", { hint: "Save it under a name." });
    const moves = file !== this.file;
    if (!moves && this.isReadOnly)
      throw new ParallaxError(
        "notebook.read-only",
        `Not saved: ${this.name} is shown read-only here. The file was not touched.`,
        {
          hint: "Save it under another name.",
          details: { path: file, actions: ["save-elsewhere"] satisfies SaveAction[] },
        },
      );
    const found = await stat(file).catch(ignore("ENOENT", "ENOTDIR"));
    if (moves && found !== undefined && !overwrite) throw exists(file);
    if (!moves && found !== undefined && !overwrite) await this.#refuseForeignContent(file);

    const lock = moves ? this.#lockFor(file) : null;
    const snapshot = this.notebook;
    const { revision } = this;
    const printed = printNotebook(snapshot, this.#source);
    const bytes = encodeNotebook(printed.text);
    const digest = sha256(bytes);
    try {
      if (moves || found === undefined || this.#disk?.sha256 !== digest || overwrite)
        await writeAtomically(file, bytes, { disk: this.#services.disk ?? realDisk });
    } catch (error) {
      lock?.release();
      throw saveError(file, error, "Your edits are kept here.");
    }
    const oldKey = this.#backupKey();
    if (moves) {
      this.#lock?.release();
      this.#lock = lock;
      this.#heldBy = null;
      this.#problem = null;
      this.file = file;
      this.name = path.basename(file);
    }
    this.#source = printed.source;
    this.#disk = { sha256: digest, stamp: await stampOf(file) };
    this.#saved = snapshot;
    this.savedRevision = revision;
    this.#recovered = false;
    this.#reported = null;
    this.#savedAt = new Date().toISOString();
    this.#services.backups.remove(oldKey);
    this.#backedUp = null;
    const savedAt = this.#savedAt;
    this.#services.emit("notebook.saved", {
      docId: this.id,
      path: this.#services.nameOf(file),
      name: this.name,
      savedAt,
    });
    return { savedAt };
  }

  /** Reads the file again. Unsaved edits are gone afterwards; that is what was asked for. */
  async reload(): Promise<void> {
    if (this.file === null) return;
    await this.#read();
    this.#services.backups.remove(this.#backupKey());
    this.#backedUp = null;
    this.#recovered = false;
    if (this.#problem === null && this.#lock === null) this.#takeLock();
    if (this.#problem !== null) this.#releaseLock();
    this.revision++;
  }

  /** Looks at the file and at who else has it. True when the document was read anew. */
  async look(): Promise<boolean> {
    if (this.file === null) return false;
    if (this.#heldBy !== null) {
      // Whoever held it may have saved; what is shown here holds no edits, so the newest file is the truth.
      const changed = (await stampOf(this.file)) !== this.#disk?.stamp;
      this.#takeLock();
      if (this.#heldBy !== null && !changed) return false;
      await this.#read();
      if (this.#lock !== null) this.#recover();
      this.revision++;
      return true;
    }
    if (this.#disk === null || this.#problem !== null || (await stampOf(this.file)) === this.#disk.stamp) return false;
    await this.#saving;
    try {
      await this.#refuseForeignContent(this.file);
    } catch (error) {
      const digest = error instanceof ParallaxError ? String(error.details?.found) : "";
      if (!(error instanceof ParallaxError) || digest === this.#reported) return false;
      this.#reported = digest;
      this.#services.emit("notebook.conflict", { docId: this.id, error: toErrorData(error) });
    }
    return false;
  }

  /** Writes unsaved edits to the app's folder when there are new ones. */
  async backup(): Promise<void> {
    if (!this.isDirty || this.isReadOnly || this.notebook === this.#backedUp) return;
    const notebook = this.notebook;
    const { file, name } = this;
    await this.#services.backups.write(this.#backupKey(), {
      file,
      name,
      notebook,
      baseSha256: this.#disk?.sha256 ?? null,
    });
    // A save that ended meanwhile has removed the older backup; this one must not outlive it.
    if (notebook === this.#saved) this.#services.backups.remove(this.#backupKey());
    else this.#backedUp = notebook;
  }

  /** @param keepBackup true when the host ends: unsaved edits come back at the next start. */
  close({ keepBackup }: { keepBackup: boolean }): void {
    if (!keepBackup && !this.isReadOnly) this.#services.backups.remove(this.#backupKey());
    this.#releaseLock();
  }

  /** Shows edits that another Parallax left behind for a notebook without a file. */
  adopt(notebook: Notebook): void {
    this.notebook = notebook;
    this.#recovered = true;
  }

  async #read(): Promise<void> {
    const file = this.file as string;
    let bytes: Uint8Array;
    let stamp: string;
    try {
      stamp = await stampOf(file);
      bytes = await readFile(file);
    } catch (error) {
      throw readError(file, error);
    }
    const { notebook, source, problem } = decodeNotebook(bytes);
    this.notebook = notebook;
    this.#saved = notebook;
    this.#source = source;
    this.#problem = problem;
    this.#disk = { sha256: sha256(bytes), stamp };
    this.#savedAt = new Date((await stat(file)).mtimeMs).toISOString();
    this.#reported = null;
  }

  /** Edits of a Parallax that ended without saving. What the file holds now is compared with what they began from. */
  #recover(): void {
    const backup = this.#services.backups.find(this.#backupKey());
    if (backup === null || this.#disk === null) return;
    if (printNotebook(backup.notebook, this.#source).text === this.#source?.text) {
      this.#services.backups.remove(this.#backupKey());
      return;
    }
    this.notebook = backup.notebook;
    this.#recovered = true;
    if (backup.baseSha256 !== null) this.#disk = { sha256: backup.baseSha256, stamp: "" };
  }

  #takeLock(): void {
    const result = this.#services.locks.acquire(this.file as string);
    this.#lock = "lock" in result ? result.lock : null;
    this.#heldBy = "owner" in result ? result.owner : null;
  }

  #lockFor(file: string): Lock {
    const result = this.#services.locks.acquire(file);
    if ("lock" in result) return result.lock;
    throw new ParallaxError(
      "save.open-elsewhere",
      `Not saved: ${path.basename(file)} is open in another Parallax (process ${result.owner.pid}). Your edits are kept here.`,
      {
        kind: "environment",
        hint: "Save under another name, or close it there.",
        details: { path: file, actions: ["save-elsewhere", "retry"] satisfies SaveAction[] },
      },
    );
  }

  #releaseLock(): void {
    this.#lock?.release();
    this.#lock = null;
  }

  #backupKey(): string {
    return this.file ?? this.id;
  }

  /** @throws {ParallaxError} notebook.changed-on-disk when the file holds what we neither read nor wrote */
  async #refuseForeignContent(file: string): Promise<void> {
    const stamp = await stampOf(file);
    let digest: string;
    try {
      digest = sha256(await readFile(file));
    } catch (error) {
      if (systemCode(error) === "ENOENT") return;
      throw saveError(file, error, "Your edits are kept here.");
    }
    if (this.#disk === null || digest === this.#disk.sha256) {
      this.#disk = { sha256: digest, stamp };
      return;
    }
    throw new ParallaxError(
      "notebook.changed-on-disk",
      `${this.name} was changed on disk by another program since it was opened here${this.isDirty ? ", and has unsaved edits here" : ""}. Neither version was touched.`,
      {
        kind: "environment",
        hint: "Overwrite the file, save your version elsewhere, or reload the file.",
        details: {
          path: file,
          found: digest,
          actions: ["overwrite", "save-elsewhere", "reload"] satisfies SaveAction[],
        },
      },
    );
  }
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

async function stampOf(file: string): Promise<string> {
  const found = await stat(file, { bigint: true }).catch(ignore("ENOENT"));
  return found === undefined ? "missing" : `${found.ino}-${found.size}-${found.mtimeNs}`;
}

function exists(file: string): ParallaxError {
  return new ParallaxError(
    "save.exists",
    `Not saved: there is a file named ${path.basename(file)} already. It was not touched.`,
    {
      hint: "Choose another name, or overwrite it.",
      details: { path: file, actions: ["save-elsewhere", "overwrite"] satisfies SaveAction[] },
    },
  );
}

function openElsewhere(name: string, owner: LockOwner): ErrorData {
  return {
    code: "notebook.open-elsewhere",
    kind: "environment",
    message: `${name} is open for editing in another Parallax (process ${owner.pid} since ${owner.since.slice(11, 16)} UTC). It is shown read-only here.`,
    hint: "Close it there and it becomes editable here, or save a copy under another name.",
    details: { pid: owner.pid, host: owner.host, actions: ["save-elsewhere"] satisfies SaveAction[] },
  };
}
