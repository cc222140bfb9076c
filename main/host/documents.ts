/** All open notebooks of a host. Pages that open the same file share one document. */
import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import path from "node:path";
import { ParallaxError, toErrorData } from "../../kernels/protocol/errors.ts";
import { newNotebook } from "../../notebooks/format/ops.ts";
import { Backups } from "./backups.ts";
import { Document, type DocumentServices, type Emit } from "./document.ts";
import { FileLocks } from "./file-lock.ts";
import type { RootFolder } from "./root-folder.ts";
import type { Disk } from "./write-atomically.ts";

/** How long unsaved edits may live in memory only. */
const BACKUP_MS = 2000;
/** How often files and their locks are looked at; systems differ too much in what they tell by themselves. */
const LOOK_MS = 1000;

export interface DocumentsOptions {
  dataFolder: string;
  root: RootFolder;
  emit: Emit;
  /** A document was read anew: its file was taken over or changed while it was read-only. */
  onReopened(document: Document): void;
  disk?: Disk;
}

export class Documents {
  readonly #services: DocumentServices;
  readonly #backups: Backups;
  readonly #root: RootFolder;
  readonly #emit: Emit;
  readonly #onReopened: (document: Document) => void;
  readonly #open = new Map<string, Document>();
  /** By real path, so that two pages that open a file at once get one document. */
  readonly #opening = new Map<string, Promise<Document>>();
  readonly #timers: NodeJS.Timeout[];
  #backupFailed = false;
  #isLooking = false;
  #untitled = 0;

  constructor(options: DocumentsOptions) {
    const { root, emit, dataFolder } = options;
    this.#root = root;
    this.#emit = emit;
    this.#onReopened = options.onReopened;
    this.#backups = new Backups(dataFolder);
    this.#services = {
      emit,
      locks: new FileLocks(dataFolder),
      backups: this.#backups,
      nameOf: (file) => root.name(file),
      ...(options.disk ? { disk: options.disk } : {}),
    };
    this.#timers = [setInterval(() => void this.backUp(), BACKUP_MS), setInterval(() => void this.#look(), LOOK_MS)];
    for (const timer of this.#timers) timer.unref();
  }

  /** @throws {ParallaxError} notebook.not-open */
  get(docId: string): Document {
    const document = this.#open.get(docId);
    if (document !== undefined) return document;
    throw new ParallaxError("notebook.not-open", "That notebook is not open any more.", {
      hint: "Open it again.",
      details: { docId },
    });
  }

  all(): Document[] {
    return [...this.#open.values()];
  }

  /** A new notebook; when a Parallax ended with one that was never saved, that one. */
  create(): Document {
    const left = this.#backups.findUntitled([...this.#open.keys()]);
    this.#untitled++;
    const name = this.#untitled === 1 ? "Untitled" : `Untitled ${this.#untitled}`;
    const document = new Document(randomUUID(), name, newNotebook(), this.#services);
    if (left !== null) {
      document.adopt(left.backup.notebook);
      left.remove();
    }
    this.#open.set(document.id, document);
    return document;
  }

  /**
   * @param name relative to the root; or the id of an open document that has no file yet.
   * @throws {ParallaxError} file.outside-root, file.missing, file.unreadable
   */
  async open(name: string): Promise<Document> {
    const untitled = this.#open.get(name);
    if (untitled !== undefined) return untitled;
    const file = await this.#root.resolve(name);
    const known = this.all().find((document) => document.file === file);
    if (known !== undefined) return known;
    const opening = this.#opening.get(file) ?? Document.open(randomUUID(), file, this.#services);
    this.#opening.set(file, opening);
    try {
      const document = await opening;
      this.#open.set(document.id, document);
      return document;
    } finally {
      this.#opening.delete(file);
    }
  }

  /** Real path to save under; without a name, a free one for a notebook that has none. */
  async saveTarget(document: Document, name: string | undefined): Promise<string | undefined> {
    if (name !== undefined) {
      const file = await this.#root.resolve(name.toLowerCase().endsWith(".ipynb") ? name : `${name}.ipynb`);
      const other = this.all().find((each) => each.file === file && each !== document);
      if (other === undefined) return file;
      throw new ParallaxError(
        "save.open-here",
        `Not saved: ${other.name} is open in another tab. It was not touched.`,
        {
          hint: "Choose another name, or close that tab.",
          details: { path: file, actions: ["save-elsewhere"] },
        },
      );
    }
    if (document.file !== null) return undefined;
    for (let n = 1; ; n++) {
      const file = path.join(this.#root.path, n === 1 ? "untitled.ipynb" : `untitled-${n}.ipynb`);
      if (!existsSync(file)) return this.#root.resolve(path.basename(file));
    }
  }

  close(document: Document): void {
    document.close({ keepBackup: false });
    this.#open.delete(document.id);
  }

  /** Backs up what is unsaved. A failure is told once; the next turn tries again. */
  async backUp(): Promise<void> {
    for (const document of this.all()) {
      try {
        await document.backup();
        this.#backupFailed = false;
      } catch (error) {
        if (!this.#backupFailed) {
          const message = `Unsaved edits could not be backed up to ${this.#backups.folder}. Save your notebooks: a crash would lose the edits.`;
          const told = new ParallaxError("backup.failed", message, {
            kind: "environment",
            hint: "Save now.",
            cause: error,
          });
          this.#emit("app.notice", { level: "warning", error: toErrorData(told) });
        }
        this.#backupFailed = true;
      }
    }
  }

  async dispose(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    await this.backUp();
    for (const document of this.all()) document.close({ keepBackup: true });
    this.#open.clear();
  }

  async #look(): Promise<void> {
    if (this.#isLooking) return;
    this.#isLooking = true;
    for (const document of this.all()) {
      try {
        if (await document.look()) this.#onReopened(document);
      } catch (error) {
        this.#emit("app.notice", { level: "warning", error: toErrorData(error) });
      }
    }
    this.#isLooking = false;
  }
}
