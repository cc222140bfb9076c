/**
 * Encoders as lists, screens and commands show them, and what the encoder service (kernels/encoders.entry) and its
 * callers say to each other. The service computes and downloads; host, page and command line only ask.
 *
 * Wire form of the service: caller → service  {id, method, params} | {cancel: id} | {configure}
 *                           service → caller  {id, result} | {id, error: ErrorData} | {event, payload}
 */
import { z } from "zod";
import { errorDataSchema } from "./errors.ts";

/**
 * ready: whole, its hashes agree. partial: some bytes are here, nobody downloads (after a cancel, a quit, a kill).
 * paused: the same, by the user's wish. failed: the same, and `error` says why. available: the hub has it.
 * damaged: it was whole, and now a file is missing or has another size.
 */
export const encoderStateSchema = z.enum([
  "ready",
  "partial",
  "downloading",
  "paused",
  "failed",
  "available",
  "damaged",
]);
export type EncoderState = z.infer<typeof encoderStateSchema>;

/**
 * How we know that the weights are the published ones. "as published": equal to a sha256 that Parallax knows from
 * elsewhere. "trusted on first use": equal to what the hub itself said at the first download. "not known": a user's folder.
 */
export const hashTrustSchema = z.enum(["as published", "trusted on first use", "not known"]);
export type HashTrust = z.infer<typeof hashTrustSchema>;

export const downloadProgressSchema = z.object({
  files: z.array(z.object({ path: z.string(), doneBytes: z.number(), totalBytes: z.number() })),
  doneBytes: z.number(),
  totalBytes: z.number(),
  /** Bytes a second over the last seconds; null until known. */
  rate: z.number().nullable(),
  etaMs: z.number().nullable(),
  /** checking: hashes of what is on disk. verifying: loaded once to a vector. */
  phase: z.enum(["downloading", "checking", "verifying", "done"]),
  /** For people, e.g. "The hub asks to wait 30 s." */
  note: z.string().nullable(),
});
export type DownloadProgress = z.infer<typeof downloadProgressSchema>;

/** Measured on this computer by "Measure": texts of mixed lengths, about five seconds. */
export const encoderSpeedSchema = z.object({
  textsPerSecond: z.number(),
  texts: z.number().int(),
  /** "cpu", "webgpu", … */
  provider: z.string(),
  precision: z.string(),
  threads: z.number().int(),
  /** ISO 8601, UTC. */
  measuredAt: z.string(),
});
export type EncoderSpeed = z.infer<typeof encoderSpeedSchema>;

/** Where a measurement is. It measures one row after another: a provider with a number of threads. */
export const measureProgressSchema = z.object({
  /** waiting: another encoder is being measured. warming up: a first pass that does not count. */
  phase: z.enum(["waiting", "loading", "warming up", "measuring"]),
  /** Which row, from 1, of how many; 0 of 0 until they are known. */
  row: z.number().int(),
  rows: z.number().int(),
  provider: z.string().nullable(),
  threads: z.number().int().nullable(),
  /** Texts encoded in this row, and how many a second; null until known. */
  texts: z.number().int(),
  rate: z.number().nullable(),
  /** Time spent on encoding of all rows, and what is meant for it. */
  doneMs: z.number(),
  totalMs: z.number(),
  /** Encoding and loading that are left; null until a load was timed. */
  etaMs: z.number().nullable(),
});
export type MeasureProgress = z.infer<typeof measureProgressSchema>;

export const encoderUseSchema = z.object({
  kind: z.enum(["run", "notebook"]),
  /** Run folder, or the notebook's file. */
  path: z.string(),
  name: z.string(),
});

export const encoderEntrySchema = z.object({
  /** What `loadEncoder` takes: "default", a hub id "owner/name", or an absolute folder. */
  id: z.string(),
  source: z.enum(["embedded", "hub", "folder"]),
  name: z.string(),
  /** Null: known only once it is here. */
  dimensions: z.number().int().nullable(),
  maxTokens: z.number().int().nullable(),
  /** Of the files that Parallax needs; of a known model that is not here it may be an estimate by its parameters. */
  sizeBytes: z.number().nullable(),
  licence: z.string().nullable(),
  /** Codes ("en"), "multilingual" included. */
  languages: z.array(z.string()),
  prompts: z.object({ count: z.number().int(), names: z.array(z.string()) }),
  /** "mean", "cls", …; "model": inside an ONNX file; "static". */
  pooling: z.string().nullable(),
  normalised: z.boolean().nullable(),
  /** "bert", "mpnet", "roberta", "distilbert", "t5", "static", "onnx". */
  family: z.string().nullable(),
  state: encoderStateSchema,
  /** Commit of the hub's repository. */
  revision: z.string().nullable(),
  sha256: hashTrustSchema,
  speed: encoderSpeedSchema.nullable(),
  /** Runs and notebooks that name it, as far as they are known. */
  usedBy: z.array(encoderUseSchema),
  /** Set while it is downloading, paused, partial or failed. */
  progress: downloadProgressSchema.nullable(),
  /** Why it failed or what is damaged. */
  error: errorDataSchema.nullable(),
  /** A sentence, e.g. "The hub asks for an agreement before it gives this model." */
  note: z.string().nullable(),
});
export type EncoderEntry = z.infer<typeof encoderEntrySchema>;

export const encoderFileSchema = z.object({
  path: z.string(),
  sizeBytes: z.number(),
  sha256: z.string().nullable(),
  /** sha1 of a git blob, for the small files that the hub keeps in git. */
  gitSha1: z.string().nullable(),
  trust: hashTrustSchema,
});

export const encoderDetailsSchema = z.object({
  entry: encoderEntrySchema,
  folder: z.string().nullable(),
  /** Name and value of each field of the spec, for people, in the order to show them. */
  spec: z.array(z.object({ field: z.string(), value: z.string() })),
  /** Where folder and catalogue disagree, and which is used. */
  contradictions: z.array(
    z.object({
      field: z.string(),
      folder: z.string(),
      catalogue: z.string(),
      used: z.enum(["folder", "catalogue", "user"]),
    }),
  ),
  prompts: z.array(z.object({ name: z.string(), template: z.string() })),
  files: z.array(encoderFileSchema),
  /** Files of the repository (or folder) that could be run instead of the weights. */
  onnxVariants: z.array(z.object({ path: z.string(), sizeBytes: z.number(), installed: z.boolean() })),
  notes: z.array(z.string()),
  /** Page of the model at the hub. */
  url: z.string().nullable(),
});
export type EncoderDetails = z.infer<typeof encoderDetailsSchema>;

export const diskUseSchema = z.object({
  encodersBytes: z.number(),
  cacheBytes: z.number(),
  freeBytes: z.number(),
  /** Folder of the downloaded encoders. */
  folder: z.string(),
});
export type DiskUse = z.infer<typeof diskUseSchema>;

export const encoderSettingsSchema = z.object({
  /** The user's own mirror address, or null. */
  mirror: z.string().nullable(),
  /** The address in use, and where it was said. */
  endpoint: z.string(),
  endpointFrom: z.enum(["setting", "HF_ENDPOINT", "default"]),
  /** No connection is tried at all. */
  offline: z.boolean(),
  offlineFrom: z.enum(["setting", "PARALLAX_OFFLINE", "HF_HUB_OFFLINE"]).nullable(),
  /** Never the token itself. */
  token: z.object({
    present: z.boolean(),
    keptIn: z.enum(["none", "HF_TOKEN", "file", "system keychain"]),
    /** For people: "the file /home/…/hub-token, readable by you only". */
    where: z.string(),
    /** Where a token that is set now would be kept, for people. */
    goesTo: z.string(),
    /** E.g. the file can be read by others, so it is not used. */
    problem: errorDataSchema.nullable(),
  }),
});
export type EncoderSettings = z.infer<typeof encoderSettingsSchema>;

const named = z.object({ id: z.string().min(1) });
const ok = z.object({});

/** One line a method: the host offers them to the page as "encoders.<name>" and passes them to the service. */
export const encoderMethods = {
  /** Stored encoders, parts of downloads, the embedded ones, added folders, and the catalogue's others as available. */
  list: { params: z.object({}), result: z.object({ entries: z.array(encoderEntrySchema), disk: diskUseSchema }) },
  details: { params: named, result: encoderDetailsSchema },
  /** Asks the hub (most downloaded first). `note` says why a list is empty, e.g. offline. */
  find: {
    params: z.object({ query: z.string(), limit: z.number().int().min(1).max(100).optional() }),
    result: z.object({ entries: z.array(encoderEntrySchema), note: z.string().nullable() }),
  },
  /**
   * `variant`: an ONNX file of the repository in place of the weights. `trustHub`: take files although their published
   * hash is another one. Starts or goes on, and answers once it is under way; events carry the rest.
   */
  download: {
    params: named.extend({
      revision: z.string().optional(),
      variant: z.string().optional(),
      trustHub: z.boolean().optional(),
    }),
    result: z.object({ entry: encoderEntrySchema }),
  },
  /** Keeps the part, and the wish to go on later. */
  pause: { params: named, result: ok },
  /** Stops and keeps the part. */
  cancel: { params: named, result: ok },
  /** Frees the part of a download that nobody works on. */
  "remove-part": { params: named, result: z.object({ freedBytes: z.number() }) },
  /** A downloaded encoder leaves the disk; an added folder leaves the list only. */
  remove: { params: named, result: z.object({ freedBytes: z.number() }) },
  /** About five seconds of encoding, told by `measuring` events; a cancelled call stops it. */
  measure: { params: named, result: z.object({ speed: encoderSpeedSchema }) },
  /** A model folder of the user's, by its absolute path, is checked and listed from now on. */
  "add-folder": { params: z.object({ path: z.string() }), result: z.object({ entry: encoderEntrySchema }) },
  settings: { params: z.object({}), result: encoderSettingsSchema },
  "set-settings": {
    params: z.object({ mirror: z.string().nullable().optional(), offline: z.boolean().optional() }),
    result: encoderSettingsSchema,
  },
  /** Null forgets it. Kept in the system's keychain in the app, else in a file readable by the owner only. */
  "set-token": { params: z.object({ token: z.string().nullable() }), result: encoderSettingsSchema },
} as const satisfies Record<string, { params: z.ZodType; result: z.ZodType }>;

export type EncoderMethod = keyof typeof encoderMethods;
export type EncoderParams<M extends EncoderMethod> = z.output<(typeof encoderMethods)[M]["params"]>;
export type EncoderResult<M extends EncoderMethod> = z.output<(typeof encoderMethods)[M]["result"]>;

/** Events of the service; the host passes them to pages that subscribed, as "encoders.<name>". */
export const encoderEvents = {
  /** An entry is new or its state changed. */
  changed: z.object({ entry: encoderEntrySchema }),
  /** At most ten a second for each download. */
  progress: z.object({ id: z.string(), progress: downloadProgressSchema }),
  /** At most ten a second; null: it ended. */
  measuring: z.object({ id: z.string(), progress: measureProgressSchema.nullable() }),
  removed: z.object({ id: z.string() }),
  disk: diskUseSchema,
} as const satisfies Record<string, z.ZodType>;
export type EncoderEvent = keyof typeof encoderEvents;
export type EncoderEventPayload<E extends EncoderEvent> = z.output<(typeof encoderEvents)[E]>;

/** What the desktop app says of the system's keychain. The token in it is kept in memory only. */
export const keychainSchema = z.object({
  /** For people: "the macOS keychain". */
  name: z.string(),
  token: z.string().nullable(),
  /** Why no token can be kept there, for people; null: it can. */
  unavailable: z.string().nullable(),
  /** There is a token in it that could not be decrypted. */
  unreadable: z.boolean(),
});
export type Keychain = z.infer<typeof keychainSchema>;

/** What the host tells the service before its first call, and whenever it changes. */
export const encoderConfigurationSchema = z.object({
  /** Undefined: there is no keychain here. */
  keychain: keychainSchema.optional(),
  /** Runs that the host knows, with the reference or folder of the encoder they started from. */
  runs: z.array(z.object({ path: z.string(), name: z.string(), encoder: z.string() })),
  /** Notebooks that were opened lately; the service looks into them for names of encoders. */
  notebooks: z.array(z.object({ path: z.string(), name: z.string() })),
});
export type EncoderConfiguration = z.infer<typeof encoderConfigurationSchema>;

export const encoderCallSchema = z.union([
  z.object({ id: z.number().int(), method: z.string(), params: z.unknown() }),
  z.object({ cancel: z.number().int() }),
  z.object({ configure: encoderConfigurationSchema }),
]);
export const encoderReplySchema = z.union([
  z.object({ id: z.number().int(), error: errorDataSchema }),
  z.object({ id: z.number().int(), result: z.unknown() }),
  z.object({ event: z.string(), payload: z.unknown() }),
]);
