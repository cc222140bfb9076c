/**
 * What stands behind a page, in the window and under `serve` alike: documents, kernels, runs, settings. It computes
 * nothing: numbers are made in kernels, whose death costs variables and nothing else.
 */
import { cpus, totalmem } from "node:os";
import { type ErrorData, ParallaxError, toErrorData } from "../../kernels/protocol/errors.ts";
import {
  HOST_PROTOCOL_VERSION,
  type HostEvent,
  type HostEventPayload,
  type HostResult,
  type OpenedNotebook,
  type Port,
} from "../../kernels/protocol/host-methods.ts";
import type { RunRequest } from "../../kernels/protocol/run-plans.ts";
import { checkOps } from "../../notebooks/format/validate.ts";
import { type AppFolders, appFolders } from "./app-folders.ts";
import { defaultEncoderState } from "./default-encoder.ts";
import type { Document } from "./document.ts";
import { Documents } from "./documents.ts";
import { DownloadJobs, encoderOfJob } from "./download-jobs.ts";
import { editorTypes } from "./editor-types.ts";
import { Encoders, keychainOf, type TokenVault } from "./encoders.ts";
import { copyExample, findExample, listExamples } from "./examples.ts";
import { listFolders } from "./folders.ts";
import { KernelSession } from "./kernel-session.ts";
import { Recents } from "./recents.ts";
import { RootFolder } from "./root-folder.ts";
import { runDetails } from "./run-labels.ts";
import { planRun, previewData } from "./run-plans.ts";
import { Runs } from "./runs.ts";
import { type Handlers, Session } from "./session.ts";
import { SettingsFile } from "./settings.ts";
import type { Disk } from "./write-atomically.ts";

export interface HostOptions {
  /** Folder of the user's notebooks. */
  root: string;
  shell: "electron" | "browser";
  /** False in the desktop window, whose dialogs may name files anywhere. */
  confined: boolean;
  folders?: AppFolders;
  /** Start a kernel when a notebook is opened, so that the first cell need not wait for it. Nothing is run by that. */
  warmKernels?: boolean;
  /** Stand-ins for tests. */
  kernelEntry?: string;
  trainerEntry?: string;
  encodersEntry?: string;
  disk?: Disk;
  /** Where the hub's token is kept; only the desktop app has one. */
  tokenVault?: TokenVault;
  /** The desktop shell's own dialog for a folder; null: nothing was chosen. */
  chooseFolder?: (title: string) => Promise<string | null>;
}

export class Host {
  readonly documents: Documents;
  readonly root: RootFolder;
  readonly #options: HostOptions;
  readonly #sessions = new Set<Session>();
  readonly #kernels = new Map<string, KernelSession>();
  readonly #settings: SettingsFile;
  readonly #recents: Recents;
  readonly #runs: Runs;
  readonly #encoders: Encoders;
  readonly #downloads = new DownloadJobs((job) => this.#emit("job.changed", { job }));
  readonly #handlers: Handlers;

  constructor(options: HostOptions) {
    this.#options = options;
    const folders = options.folders ?? appFolders();
    this.root = new RootFolder(options.root, { confined: options.confined });
    this.#settings = new SettingsFile(folders.config);
    this.#recents = new Recents(folders.data);
    this.documents = new Documents({
      dataFolder: folders.data,
      root: this.root,
      emit: (event, payload) => this.#emit(event, payload),
      onReopened: (document) => this.#reopened(document),
      ...(options.disk ? { disk: options.disk } : {}),
    });
    this.#runs = new Runs({
      root: this.root.path,
      recents: this.#recents,
      onUpdate: (update) => {
        for (const session of this.#sessions) if (session.runs.has(update.folder)) session.emit("run.updated", update);
      },
      onListChanged: () => this.#emit("runs.changed", {}),
      onTrouble: (error) => this.#notice("warning", toErrorData(error)),
      trainerEntry: options.trainerEntry,
    });
    this.#encoders = new Encoders({
      onEvent: (event, payload) => {
        for (const session of this.#sessions)
          if (session.encoders !== null) session.emit(`encoders.${event}`, payload as never);
        this.#downloads.note(event, payload);
      },
      configuration: () => this.#encoderUses(),
      onTrouble: (error) => this.#notice("warning", toErrorData(error)),
      vault: options.tokenVault,
      entry: options.encodersEntry,
    });
    this.#handlers = this.#makeHandlers();
  }

  /** A page at the other end of a port. It is served until the port closes. */
  connect(port: Port): Session {
    const session = new Session(port, this.#handlers, (closed) => {
      // Its notebooks and their kernels stay: a page that is loaded again finds them as they are.
      this.#sessions.delete(closed);
      for (const [folder, n] of closed.runs) for (let i = 0; i < n; i++) this.#runs.unwatch(folder);
      closed.encoders?.();
      closed.encoders = null;
    });
    this.#sessions.add(session);
    return session;
  }

  /** A menu command for the pages. */
  command(command: string): void {
    this.#emit("app.command", { command });
  }

  /** Names of notebooks with unsaved edits, to ask before closing. */
  unsaved(): string[] {
    return this.documents
      .all()
      .filter((document) => document.isDirty)
      .map((document) => document.name);
  }

  /** Saves all that is unsaved; notebooks without a name get one. @throws {ParallaxError} at the first that fails */
  async saveAll(): Promise<void> {
    for (const document of this.documents.all().filter((each) => each.isDirty)) {
      const file = await this.documents.saveTarget(document, undefined);
      await document.save(file === undefined ? {} : { file });
    }
  }

  /** Backs up what is unsaved, ends the kernels (runs go on: they are processes of their own), lets the pages go. */
  async dispose(): Promise<void> {
    this.#runs.dispose();
    await this.#encoders.dispose();
    await Promise.all([...this.#kernels.values()].map((kernel) => kernel.shutdown()));
    await this.documents.dispose();
    for (const session of [...this.#sessions]) session.close();
  }

  #emit<E extends HostEvent>(event: E, payload: HostEventPayload<E>): void {
    const { docId } = payload as { docId?: string };
    for (const session of this.#sessions)
      if (docId === undefined || session.docs.has(docId)) session.emit(event, payload);
  }

  #notice(level: "info" | "warning" | "error", error: ErrorData): void {
    this.#emit("app.notice", { level, error });
  }

  #kernel(document: Document): KernelSession {
    const known = this.#kernels.get(document.id);
    if (known !== undefined) return known;
    const kernel = new KernelSession(document, {
      emit: (event, payload) => this.#emit(event, payload),
      fallbackFolder: this.root.path,
      kernelEntry: this.#options.kernelEntry,
      kernelEnv: () => {
        const { threads, provider } = this.#settings.get();
        return {
          PARALLAX_THREADS: String(threads),
          ...(provider === undefined ? {} : { PARALLAX_PROVIDER: provider }),
        };
      },
      keychain: () => this.#options.tokenVault && keychainOf(this.#options.tokenVault),
      onRunStarted: (folder) => {
        this.#runs.started(folder).catch((error: unknown) => this.#notice("warning", toErrorData(error)));
      },
    });
    this.#kernels.set(document.id, kernel);
    return kernel;
  }

  #view(document: Document): OpenedNotebook {
    const kernel = this.#kernel(document);
    return { ...document.view(), kernel: kernel.state, cells: kernel.cellStates() };
  }

  /** Shows a document to a page, and from now on what happens to it. */
  #opened(document: Document, session: Session): OpenedNotebook {
    session.docs.add(document.id);
    const kernel = this.#kernel(document);
    if ((this.#options.warmKernels ?? true) && !document.isReadOnly && kernel.state.state === "none") kernel.start();
    // After the answer, so that the page knows the notebook that they belong to.
    setImmediate(() => {
      for (const job of kernel.jobs()) session.emit("job.changed", { job });
    });
    if (document.file !== null)
      this.#recents.opened(document.file).catch((error: unknown) => this.#notice("warning", toErrorData(error)));
    return this.#view(document);
  }

  #reopened(document: Document): void {
    this.#emit("notebook.reopened", this.#view(document));
  }

  /** The document of a call. A page that names it wants its events. */
  #document(docId: string, session: Session): Document {
    const document = this.documents.get(docId);
    session.docs.add(docId);
    return document;
  }

  async #close(docId: string, session: Session, keepKernel: boolean): Promise<void> {
    session.docs.delete(docId);
    const isOpenElsewhere = [...this.#sessions].some((each) => each.docs.has(docId));
    if (isOpenElsewhere || keepKernel) return;
    const document = this.documents.get(docId);
    const kernel = this.#kernels.get(docId);
    this.#kernels.delete(docId);
    this.documents.close(document);
    await kernel?.shutdown();
  }

  /** What names an encoder, as far as this host knows. */
  async #encoderUses() {
    const runs = (await this.#runs.list()).map(({ folder, config }) => ({
      path: folder,
      name: config.name,
      encoder: config.encoder.reference,
    }));
    const notebooks = (await this.#recents.notebooks((file) => file)).filter((each) => !each.missing);
    return { runs, notebooks: notebooks.map(({ path, name }) => ({ path, name })) };
  }

  /** Files that a form names, as a cell would find them, and none outside of what this host shows. */
  async #insideRoot(request: RunRequest): Promise<RunRequest> {
    const { pairs, evaluation } = request;
    return {
      ...request,
      pairs: await this.root.resolve(pairs),
      ...(evaluation === undefined ? {} : { evaluation: await this.root.resolve(evaluation) }),
    };
  }

  #hello(): HostResult<"app.hello"> {
    return {
      version: HOST_PROTOCOL_VERSION,
      product: "Parallax",
      shell: this.#options.shell,
      platform: process.platform,
      root: this.root.path,
      cores: cpus().length,
      memoryBytes: totalmem(),
      settings: this.#settings.get(),
    };
  }

  #makeHandlers(): Handlers {
    const kernelOf = (docId: string, session: Session) => this.#kernel(this.#document(docId, session));
    return {
      "app.hello": ({ version }, session) => {
        if (version !== HOST_PROTOCOL_VERSION)
          throw new ParallaxError(
            "host.version",
            `This page speaks protocol version ${version}, the host speaks ${HOST_PROTOCOL_VERSION}.`,
            { kind: "environment", hint: "Reload the page." },
          );
        setImmediate(() => {
          for (const problem of this.#settings.problems)
            session.emit("app.notice", { level: "warning", error: problem });
        });
        return this.#hello();
      },
      "app.start-page": async () => ({
        recents: await this.#recents.notebooks((file) => this.root.name(file)),
        examples: listExamples().map(({ id, title, summary, minutes }) => ({ id, title, summary, minutes })),
        encoder: await defaultEncoderState(),
      }),
      "app.editor-types": () => ({ files: editorTypes() }),
      "settings.set": async (change) => {
        const given = Object.fromEntries(Object.entries(change).filter(([, value]) => value !== undefined));
        const settings = await this.#settings.set(given);
        this.#emit("settings.changed", settings);
        return settings;
      },
      "files.list": async ({ folder }) => ({ folder, entries: await this.root.list(folder) }),
      "folders.list": ({ path, hidden }, _session, signal) =>
        listFolders(path, { hidden, root: this.root.path, signal }),
      "folders.choose": async ({ title }) => {
        const { chooseFolder } = this.#options;
        if (chooseFolder === undefined)
          throw new ParallaxError("host.no-dialog", "Only the desktop app has a dialog for folders.", {
            hint: "Choose the folder on the page.",
          });
        return { path: await chooseFolder(title) };
      },
      "notebook.new": (_params, session) => this.#opened(this.documents.create(), session),
      "notebook.open-example": async ({ id }, session) => {
        const copy = await copyExample(findExample(id), this.root.path);
        return this.#opened(await this.documents.open(copy), session);
      },
      "notebook.open": async ({ path }, session) => this.#opened(await this.documents.open(path), session),
      "notebook.apply": ({ docId, origin, ops }, session) => {
        const document = this.#document(docId, session);
        const before = document.revision;
        const revision = document.edit(checkOps(ops), origin);
        if (revision !== before) this.#kernels.get(docId)?.edited();
        return { revision };
      },
      "notebook.save": async ({ docId, path, overwrite }, session) => {
        const document = this.#document(docId, session);
        const file = await this.documents.saveTarget(document, path);
        const { savedAt } = await document.save({
          ...(file === undefined ? {} : { file }),
          ...(overwrite === undefined ? {} : { overwrite }),
        });
        if (document.file !== null) await this.#recents.opened(document.file);
        const { path: name } = document.view();
        return { path: name ?? "", name: document.name, savedAt, revision: document.savedRevision };
      },
      "notebook.reload": async ({ docId }, session) => {
        const document = this.#document(docId, session);
        await document.reload();
        this.#kernels.get(docId)?.edited();
        const view = this.#view(document);
        for (const other of this.#sessions)
          if (other !== session && other.docs.has(docId)) other.emit("notebook.reopened", view);
        return view;
      },
      "notebook.close": async ({ docId, keepKernel }, session) => {
        await this.#close(docId, session, keepKernel);
        return {};
      },
      "cell.run": ({ docId, cellIds }, session) => {
        kernelOf(docId, session).run(cellIds);
        return {};
      },
      "kernel.interrupt": ({ docId }, session) => {
        kernelOf(docId, session).interrupt();
        return {};
      },
      "kernel.restart": async ({ docId }, session) => {
        await kernelOf(docId, session).restart();
        return {};
      },
      "kernel.shutdown": async ({ docId }, session) => {
        await kernelOf(docId, session).shutdown();
        return {};
      },
      "kernel.analyse": async ({ docId }, session) => ({ cells: await kernelOf(docId, session).analyse() }),
      "kernel.variables": async ({ docId }, session) => ({ variables: await kernelOf(docId, session).variables() }),
      "kernel.inspect": async ({ docId, name }, session) => ({ data: await kernelOf(docId, session).inspect(name) }),
      "job.cancel": async ({ jobId }) => {
        const id = encoderOfJob(jobId);
        if (id !== null) return this.#encoders.call("cancel", { id });
        for (const kernel of this.#kernels.values()) kernel.cancelJob(jobId);
        return {};
      },
      "runs.list": async () => ({ runs: await this.#runs.list() }),
      "runs.watch": ({ folder }, session) => {
        const result = this.#runs.watch(folder);
        session.runs.set(folder, (session.runs.get(folder) ?? 0) + 1);
        return result;
      },
      "runs.unwatch": ({ folder }, session) => {
        const n = session.runs.get(folder) ?? 0;
        if (n === 0) return {};
        if (n === 1) session.runs.delete(folder);
        else session.runs.set(folder, n - 1);
        this.#runs.unwatch(folder);
        return {};
      },
      "runs.stop": async ({ folder, how }) => {
        await this.#runs.stop(folder, how);
        return {};
      },
      "runs.resume": async ({ folder }) => {
        await this.#runs.resume(folder);
        return {};
      },
      "runs.preview": async ({ file }, _session, signal) =>
        previewData(this.root.path, await this.root.resolve(file), signal),
      "runs.plan": async (request, _session, signal) =>
        planRun(this.root.path, await this.#insideRoot(request), await this.#runs.list(), signal),
      "runs.details": ({ folder }) => runDetails(folder),
      "runs.label": async ({ folder, ...change }) => ({ run: await this.#runs.label(folder, change) }),
      "runs.pin": async ({ folder }) => {
        await this.#runs.pin(folder);
        return {};
      },
      "runs.fork": async ({ folder, step, learningRate }) => ({
        folder: await this.#runs.fork(folder, step, learningRate),
      }),
      "encoders.list": (params, _session, signal) => this.#encoders.call("list", params, signal),
      "encoders.details": (params, _session, signal) => this.#encoders.call("details", params, signal),
      "encoders.find": (params, _session, signal) => this.#encoders.call("find", params, signal),
      "encoders.download": (params, _session, signal) => this.#encoders.call("download", params, signal),
      "encoders.pause": (params, _session, signal) => this.#encoders.call("pause", params, signal),
      "encoders.cancel": (params, _session, signal) => this.#encoders.call("cancel", params, signal),
      "encoders.remove-part": (params, _session, signal) => this.#encoders.call("remove-part", params, signal),
      "encoders.remove": (params, _session, signal) => this.#encoders.call("remove", params, signal),
      "encoders.measure": (params, _session, signal) => this.#encoders.call("measure", params, signal),
      "encoders.add-folder": (params, _session, signal) => this.#encoders.call("add-folder", params, signal),
      "encoders.settings": (params, _session, signal) => this.#encoders.call("settings", params, signal),
      "encoders.set-settings": (params, _session, signal) => this.#encoders.call("set-settings", params, signal),
      "encoders.set-token": async (params, _session, signal) => {
        const settings = await this.#encoders.call("set-token", params, signal);
        for (const kernel of this.#kernels.values()) kernel.tellKeychain();
        return settings;
      },
      "encoders.subscribe": (_params, session) => {
        session.encoders ??= this.#encoders.subscribe();
        return {};
      },
      "encoders.unsubscribe": (_params, session) => {
        session.encoders?.();
        session.encoders = null;
        return {};
      },
    };
  }
}
