/**
 * What page and host say to each other, whatever carries it (a MessagePort in the app, a WebSocket under `serve`).
 * One line a method: parameters and result. Every message is validated on arrival.
 *
 * Wire form: page → host   {id, method, params} | {cancel: id}
 *            host → page   {id, result} | {id, error: ErrorData} | {event, payload}
 * The first message of the page is `app.hello`.
 */
import { z } from "zod";
import { encoderEvents, encoderMethods } from "./encoders.ts";
import { errorDataSchema } from "./errors.ts";
import { cellNamesSchema, variableSchema } from "./kernel-messages.ts";
import { PROVIDER_NAMES } from "./providers.ts";
import { runMetricSchema, runSummarySchema } from "./run-files.ts";
import { runMethods } from "./run-plans.ts";

export const HOST_PROTOCOL_VERSION = 1;

const json = z.record(z.string(), z.unknown());
/** Validated in depth by notebooks/format; here only that it is an object. */
const notebookSchema = z.object({
  nbformat: z.literal(4),
  nbformat_minor: z.number().int(),
  metadata: json,
  cells: z.array(json),
});
const opSchema = z.object({ type: z.string() }).loose();

export const kernelStateSchema = z.object({
  state: z.enum(["none", "starting", "ready", "busy", "interrupting", "restarting", "stopped"]),
  /** Set when it stopped by itself: "exit code 139" or "signal SIGKILL", and the cell that ran. */
  exit: z.object({ reason: z.string(), cellId: z.string().nullable(), log: z.array(z.string()) }).nullable(),
  startedAt: z.string().nullable(),
  memoryBytes: z.number().nullable(),
  /** Names of loaded encoders. */
  encoders: z.array(z.string()),
});
export type KernelState = z.infer<typeof kernelStateSchema>;

export const cellStateSchema = z.object({
  cellId: z.string(),
  state: z.enum(["idle", "queued", "running", "done", "failed", "stopped"]),
  /** Place in the queue, from 1, when queued. */
  position: z.number().int().nullable(),
  startedAt: z.string().nullable(),
  elapsedMs: z.number().nullable(),
  /** Why its outputs no longer match, in words: "`texts` changed in cell [1]". */
  stale: z.string().nullable(),
});
export type CellState = z.infer<typeof cellStateSchema>;

export const jobSchema = z.object({
  id: z.string(),
  docId: z.string().nullable(),
  cellId: z.string().nullable(),
  stage: z.string(),
  done: z.number(),
  total: z.number(),
  unit: z.string(),
  rate: z.number().nullable(),
  etaMs: z.number().nullable(),
  note: z.string().nullable(),
  finished: z.boolean(),
});
export type Job = z.infer<typeof jobSchema>;

export const openedNotebookSchema = z.object({
  docId: z.string(),
  /** Relative to the root; null for a notebook that was never saved. */
  path: z.string().nullable(),
  name: z.string(),
  notebook: notebookSchema,
  revision: z.number().int(),
  dirty: z.boolean(),
  savedAt: z.string().nullable(),
  readOnly: z.boolean(),
  /** Why it is read-only or shown in part: the file is not touched. */
  problem: errorDataSchema.nullable(),
  /** A backup of unsaved edits from a crash was found and is what is shown. */
  recovered: z.boolean(),
  kernel: kernelStateSchema,
  cells: z.array(cellStateSchema),
});
export type OpenedNotebook = z.infer<typeof openedNotebookSchema>;

export const settingsSchema = z.object({
  theme: z.enum(["system", "light", "dark"]),
  density: z.enum(["comfortable", "compact"]),
  threads: z.number().int().min(1).max(64),
  /** Where encoders run that name no provider. Absent: the CPU. */
  provider: z.enum(PROVIDER_NAMES).optional(),
});
export type Settings = z.infer<typeof settingsSchema>;

const docParams = z.object({ docId: z.string() });
const ok = z.object({});

/** name → {params, result}. The host's handler table must cover it; the page's client is typed from it. */
export const hostMethods = {
  "app.hello": {
    params: z.object({ version: z.number().int() }),
    result: z.object({
      version: z.number().int(),
      product: z.string(),
      shell: z.enum(["electron", "browser"]),
      platform: z.string(),
      root: z.string(),
      cores: z.number().int(),
      memoryBytes: z.number(),
      settings: settingsSchema,
    }),
  },
  "app.start-page": {
    params: z.object({}),
    result: z.object({
      recents: z.array(z.object({ path: z.string(), name: z.string(), openedAt: z.string(), missing: z.boolean() })),
      examples: z.array(z.object({ id: z.string(), title: z.string(), summary: z.string(), minutes: z.number() })),
      /** Whether the default encoder's files are there and whole; message for people. */
      encoder: z.object({ state: z.enum(["ready", "missing", "damaged"]), message: z.string() }),
    }),
  },
  /** Declarations of "parallax" and what it needs, for the editor: virtual path → text. */
  "app.editor-types": { params: z.object({}), result: z.object({ files: z.record(z.string(), z.string()) }) },
  "settings.set": { params: settingsSchema.partial(), result: settingsSchema },
  "files.list": {
    /** Folder relative to the root; "" is the root. */
    params: z.object({ folder: z.string() }),
    result: z.object({
      folder: z.string(),
      entries: z.array(
        z.object({
          name: z.string(),
          path: z.string(),
          kind: z.enum(["folder", "notebook", "file"]),
          modifiedAt: z.string(),
          sizeBytes: z.number(),
        }),
      ),
    }),
  },
  /** Folders of this computer, for a page without a file dialog; `path` is absolute or from "~", null is home. */
  "folders.list": {
    params: z.object({ path: z.string().nullable(), hidden: z.boolean() }),
    result: z.object({
      folder: z.string(),
      parent: z.string().nullable(),
      /** By the names in it: it may be a model. */
      isModel: z.boolean(),
      folders: z.array(z.object({ name: z.string(), path: z.string(), isModel: z.boolean() })),
      /** So many more are in it. */
      left: z.number().int(),
      places: z.array(z.object({ name: z.string(), path: z.string() })),
    }),
  },
  /** The desktop shell's own dialog; null: nothing was chosen. @throws host.no-dialog where there is none */
  "folders.choose": {
    params: z.object({ title: z.string() }),
    result: z.object({ path: z.string().nullable() }),
  },
  "notebook.new": { params: z.object({}), result: openedNotebookSchema },
  /** Copies an example beside the user's notebooks (under the root) and opens the copy. */
  "notebook.open-example": { params: z.object({ id: z.string() }), result: openedNotebookSchema },
  "notebook.open": { params: z.object({ path: z.string() }), result: openedNotebookSchema },
  "notebook.apply": {
    /** Operations of notebooks/format, in order. `origin` comes back in the event, so that the sender skips its own. */
    params: z.object({ docId: z.string(), origin: z.string(), ops: z.array(opSchema) }),
    result: z.object({ revision: z.number().int() }),
  },
  "notebook.save": {
    /** `path` saves under another name (relative to the root); `overwrite` answers a conflict. */
    params: z.object({ docId: z.string(), path: z.string().optional(), overwrite: z.boolean().optional() }),
    result: z.object({ path: z.string(), name: z.string(), savedAt: z.string(), revision: z.number().int() }),
  },
  /** Reads the file again and drops unsaved edits. */
  "notebook.reload": { params: docParams, result: openedNotebookSchema },
  /** This page is done with it; the kernel stops when no page has it open unless `keepKernel`. */
  "notebook.close": { params: z.object({ docId: z.string(), keepKernel: z.boolean() }), result: ok },
  "cell.run": { params: z.object({ docId: z.string(), cellIds: z.array(z.string()) }), result: ok },
  "kernel.interrupt": { params: docParams, result: ok },
  /** Ends the process; `restart` starts a new one. Force stop is this as well. */
  "kernel.restart": { params: docParams, result: ok },
  "kernel.shutdown": { params: docParams, result: ok },
  "kernel.analyse": { params: docParams, result: z.object({ cells: z.array(cellNamesSchema) }) },
  "kernel.variables": { params: docParams, result: z.object({ variables: z.array(variableSchema) }) },
  "kernel.inspect": { params: z.object({ docId: z.string(), name: z.string() }), result: z.object({ data: json }) },
  "job.cancel": { params: z.object({ jobId: z.string() }), result: ok },
  "runs.list": { params: z.object({}), result: z.object({ runs: z.array(runSummarySchema) }) },
  /** Everything written so far; afterwards `run.updated` events carry what is new until `runs.unwatch`. */
  "runs.watch": {
    params: z.object({ folder: z.string() }),
    result: z.object({ run: runSummarySchema, metrics: z.array(runMetricSchema), log: z.string() }),
  },
  "runs.unwatch": { params: z.object({ folder: z.string() }), result: ok },
  "runs.stop": { params: z.object({ folder: z.string(), how: z.enum(["after-step", "now"]) }), result: ok },
  "runs.resume": { params: z.object({ folder: z.string() }), result: ok },
  "runs.preview": runMethods.preview,
  "runs.plan": runMethods.plan,
  "runs.details": runMethods.details,
  "runs.label": runMethods.label,
  "runs.pin": runMethods.pin,
  "runs.fork": runMethods.fork,
  "encoders.list": encoderMethods.list,
  "encoders.details": encoderMethods.details,
  "encoders.find": encoderMethods.find,
  "encoders.download": encoderMethods.download,
  "encoders.pause": encoderMethods.pause,
  "encoders.cancel": encoderMethods.cancel,
  "encoders.remove-part": encoderMethods["remove-part"],
  "encoders.remove": encoderMethods.remove,
  "encoders.measure": encoderMethods.measure,
  "encoders.add-folder": encoderMethods["add-folder"],
  "encoders.settings": encoderMethods.settings,
  "encoders.set-settings": encoderMethods["set-settings"],
  "encoders.set-token": encoderMethods["set-token"],
  /** From now on this page gets encoders.changed, progress, removed and disk. */
  "encoders.subscribe": { params: z.object({}), result: ok },
  "encoders.unsubscribe": { params: z.object({}), result: ok },
} as const satisfies Record<string, { params: z.ZodType; result: z.ZodType }>;

export type HostMethod = keyof typeof hostMethods;
export type HostParams<M extends HostMethod> = z.input<(typeof hostMethods)[M]["params"]>;
export type HostResult<M extends HostMethod> = z.output<(typeof hostMethods)[M]["result"]>;

export const hostEvents = {
  "notebook.changed": z.object({
    docId: z.string(),
    revision: z.number().int(),
    /** Who sent the operations; "kernel" for outputs. */
    origin: z.string(),
    ops: z.array(opSchema),
  }),
  /** The host read the file anew (another page reloaded it, or its other editor is gone): replace what is shown. */
  "notebook.reopened": openedNotebookSchema,
  "notebook.saved": z.object({ docId: z.string(), path: z.string(), name: z.string(), savedAt: z.string() }),
  /** The file changed on disk under us. */
  "notebook.conflict": z.object({ docId: z.string(), error: errorDataSchema }),
  "kernel.changed": z.object({ docId: z.string(), kernel: kernelStateSchema }),
  "cell.changed": z.object({ docId: z.string(), cells: z.array(cellStateSchema) }),
  "job.changed": z.object({ job: jobSchema }),
  "run.updated": z.object({
    folder: z.string(),
    run: runSummarySchema,
    metrics: z.array(runMetricSchema),
    log: z.string(),
  }),
  "runs.changed": z.object({}),
  "encoders.changed": encoderEvents.changed,
  "encoders.progress": encoderEvents.progress,
  "encoders.measuring": encoderEvents.measuring,
  "encoders.removed": encoderEvents.removed,
  "encoders.disk": encoderEvents.disk,
  "settings.changed": settingsSchema,
  "app.notice": z.object({ level: z.enum(["info", "warning", "error"]), error: errorDataSchema }),
  /** A menu command of the desktop shell, e.g. "notebook.save". */
  "app.command": z.object({ command: z.string() }),
} as const satisfies Record<string, z.ZodType>;

export type HostEvent = keyof typeof hostEvents;
export type HostEventPayload<E extends HostEvent> = z.output<(typeof hostEvents)[E]>;

export const callSchema = z.union([
  z.object({ id: z.number().int(), method: z.string(), params: z.unknown() }),
  z.object({ cancel: z.number().int() }),
]);
export const replySchema = z.union([
  z.object({ id: z.number().int(), error: errorDataSchema }),
  z.object({ id: z.number().int(), result: z.unknown() }),
  z.object({ event: z.string(), payload: z.unknown() }),
]);

/** Both carriers look like this to the code above them. */
export interface Port {
  send(message: unknown): void;
  onMessage(listener: (message: unknown) => void): () => void;
  onClose(listener: (reason: string) => void): () => void;
  close(): void;
}
