/**
 * The encoder service: lists, finds, downloads, measures. One of it serves a host; several of them, and commands beside
 * them, share the store by its locks. How its calls arrive is not its business (kernels/encoders.entry.ts).
 */
import { existsSync } from "node:fs";
import path from "node:path";
import { CATALOGUE } from "../encode/catalogue/models.ts";
import { readSpec } from "../encode/read-spec.ts";
import { searchModels } from "../hub/client.ts";
import { checkHubId } from "../hub/hub-id.ts";
import { hubAddress, readHubSettings, writeHubSettings } from "../hub/hub-settings.ts";
import { findPart, listParts, writePartState } from "../hub/part.ts";
import { findStored, notStored, removePart, removeStored } from "../hub/store.ts";
import type {
  DownloadProgress,
  EncoderConfiguration,
  EncoderEntry,
  EncoderEvent,
  EncoderEventPayload,
  EncoderMethod,
  EncoderParams,
  EncoderResult,
  MeasureProgress,
} from "../protocol/encoders.ts";
import { CancelledError, isCancelled, ParallaxError, toErrorData } from "../protocol/errors.ts";
import { type Access, encoderSettings, setEncoderSettings, setToken, withHub } from "./access.ts";
import { encoderDetails } from "./details.ts";
import { fetchEncoder } from "./download-encoder.ts";
import { availableEntry, diskUse, entryOf, hitEntry, listEntries } from "./entries.ts";
import { measureEncoder } from "./measure.ts";
import { type Known, NOBODY } from "./uses.ts";

interface Running {
  controller: AbortController;
  progress: DownloadProgress | null;
  ended: Promise<void>;
}

type Methods = {
  [M in EncoderMethod]: (params: EncoderParams<M>, signal: AbortSignal) => EncoderResult<M> | Promise<EncoderResult<M>>;
};

const FOUND = 30;
/** Progress is sent at most so often for each download. */
const PROGRESS_MS = 100;

const WAITING: MeasureProgress = {
  phase: "waiting",
  row: 0,
  rows: 0,
  provider: null,
  threads: null,
  texts: 0,
  rate: null,
  doneMs: 0,
  totalMs: 0,
  etaMs: null,
};

export class EncoderService {
  readonly #emit: <E extends EncoderEvent>(event: E, payload: EncoderEventPayload<E>) => void;
  readonly #running = new Map<string, Running>();
  #hasLooked = false;
  #access: Access = {};
  #known: Known = NOBODY;
  /** One measurement at a time: two would measure each other. */
  #measuring: Promise<unknown> = Promise.resolve();
  #isMeasuring = false;

  constructor(emit: <E extends EncoderEvent>(event: E, payload: EncoderEventPayload<E>) => void) {
    this.#emit = emit;
  }

  configure({ keychain, runs, notebooks }: EncoderConfiguration): void {
    this.#access = { keychain };
    this.#known = { runs, notebooks };
  }

  /** @throws {ParallaxError} whatever the method throws */
  async call<M extends EncoderMethod>(
    method: M,
    params: EncoderParams<M>,
    signal: AbortSignal,
  ): Promise<EncoderResult<M>> {
    return (this.#methods[method] as Methods[M])(params, signal);
  }

  /** Stops all downloads; their parts stay and count as cut off, to be gone on with. */
  async dispose(): Promise<void> {
    for (const { controller } of this.#running.values()) controller.abort("quit");
    await Promise.all([...this.#running.values()].map((running) => running.ended));
  }

  readonly #methods: Methods = {
    list: async () => {
      this.#goOn();
      const entries = await listEntries(this.#known);
      return { entries: entries.map((entry) => this.#withRunning(entry)), disk: diskUse() };
    },
    details: async ({ id }, signal) => {
      const details = await encoderDetails(id, this.#known, this.#access, signal);
      return { ...details, entry: this.#withRunning(details.entry) };
    },
    find: ({ query, limit }, signal) => this.#find(query, limit ?? FOUND, signal),
    download: (params) => this.#download(params),
    pause: ({ id }) => this.#stop(id, "pause"),
    cancel: ({ id }) => this.#stop(id, "cancel"),
    "remove-part": async ({ id }) => {
      const freedBytes = removePart(id);
      await this.#tell(id);
      this.#emit("disk", diskUse());
      return { freedBytes };
    },
    remove: async ({ id }) => this.#remove(id),
    measure: ({ id }, signal) => this.#measure(id, signal),
    "add-folder": async ({ path: folder }) => {
      const at = path.resolve(folder);
      await readSpec(at);
      const { folders } = readHubSettings();
      if (!folders.includes(at)) writeHubSettings({ folders: [...folders, at] });
      const entry = await entryOf(at, this.#known);
      this.#emit("changed", { entry });
      return { entry };
    },
    settings: () => encoderSettings(this.#access),
    "set-settings": (change) => setEncoderSettings(change, this.#access),
    "set-token": ({ token }) => setToken(token, this.#access),
  };

  /** Downloads that a quit or a kill cut off go on when somebody first looks; paused and cancelled ones wait. */
  #goOn(): void {
    if (this.#hasLooked) return;
    this.#hasLooked = true;
    if (hubAddress().offline) return;
    for (const { state, pid } of listParts())
      if (state.state === "downloading" && pid === null && !this.#running.has(state.id))
        this.#start(state.id, {
          revision: state.revision,
          ...(state.variant === null ? {} : { variant: state.variant }),
        });
  }

  #start(id: string, options: Omit<EncoderParams<"download">, "id">): void {
    const running: Running = { controller: new AbortController(), progress: null, ended: Promise.resolve() };
    this.#running.set(id, running);
    running.ended = this.#run(id, options, running);
  }

  async #find(query: string, limit: number, signal: AbortSignal): Promise<EncoderResult<"find">> {
    const words = query.trim().toLowerCase();
    const local = CATALOGUE.filter((each) => each.id.toLowerCase().includes(words)).map((each) => each.id);
    if (hubAddress().offline || words === "") {
      const entries = await Promise.all(local.slice(0, limit).map((id) => entryOf(id, this.#known)));
      const note = words === "" ? null : "Parallax is offline: these are the ones that it knows by itself.";
      return { entries: entries.map((entry) => this.#withRunning(entry)), note };
    }
    const hits = await withHub(this.#access, (http) => searchModels(http, query.trim(), limit, { signal }));
    const entries = await Promise.all(
      hits.map(async (hit) => (findStored(hit.id) || findPart(hit.id) ? entryOf(hit.id, this.#known) : hitEntry(hit))),
    );
    return {
      entries: entries.map((entry) => this.#withRunning(entry)),
      note: entries.length === 0 ? `The hub has nothing for "${query.trim()}".` : null,
    };
  }

  async #download({ id, ...options }: EncoderParams<"download">): Promise<EncoderResult<"download">> {
    checkHubId(id);
    if (!this.#running.has(id)) this.#start(id, options);
    const entry = this.#withRunning(await entryOf(id, this.#known));
    this.#emit("changed", { entry });
    return { entry };
  }

  async #measure(id: string, signal: AbortSignal): Promise<EncoderResult<"measure">> {
    let sentAt = Number.NEGATIVE_INFINITY;
    let last = "";
    const onStep = (progress: MeasureProgress) => {
      const now = performance.now();
      const step = `${progress.phase} ${progress.row}`;
      if (signal.aborted || (now - sentAt < PROGRESS_MS && step === last)) return;
      sentAt = now;
      last = step;
      this.#emit("measuring", { id, progress });
    };
    onStep(this.#isMeasuring ? WAITING : { ...WAITING, phase: "loading" });
    const mine = this.#measuring.then(async () => {
      if (signal.aborted) throw new CancelledError("Measuring");
      this.#isMeasuring = true;
      try {
        return await measureEncoder(id, { signal, onStep });
      } finally {
        this.#isMeasuring = false;
      }
    });
    this.#measuring = mine.catch(() => undefined);
    try {
      return { speed: await mine };
    } finally {
      this.#emit("measuring", { id, progress: null });
      // Rows that were done before it was stopped are kept, too.
      await this.#tell(id);
    }
  }

  /** Never rejects: how it ended is told by an event. */
  async #run(id: string, options: Omit<EncoderParams<"download">, "id">, running: Running): Promise<void> {
    let failure: unknown = null;
    let sentAt = Number.NEGATIVE_INFINITY;
    let phase = "";
    try {
      await fetchEncoder(
        id,
        {
          ...options,
          signal: running.controller.signal,
          onProgress: (progress) => {
            running.progress = progress;
            const now = performance.now();
            if (now - sentAt < PROGRESS_MS && progress.phase === phase) return;
            sentAt = now;
            phase = progress.phase;
            this.#emit("progress", { id, progress });
          },
        },
        this.#access,
      );
    } catch (error) {
      failure = error;
    }
    this.#running.delete(id);
    await this.#tell(id, isCancelled(failure) ? null : failure);
    this.#emit("disk", diskUse());
  }

  async #stop(id: string, reason: "pause" | "cancel"): Promise<Record<string, never>> {
    const running = this.#running.get(id);
    if (running === undefined)
      throw new ParallaxError("encoders.not-downloading", `${id} is not being downloaded here. Nothing was changed.`, {
        hint: "It may be done, or another Parallax downloads it.",
        details: { id },
      });
    running.controller.abort(reason);
    await running.ended;
    this.#keepWish(id, reason);
    await this.#tell(id);
    return {};
  }

  /** A download that was stopped before it looked at its part left the wish of an earlier stop there. */
  #keepWish(id: string, reason: "pause" | "cancel"): void {
    const part = findPart(id);
    const wish = reason === "pause" ? "paused" : "stopped";
    if (part !== null && part.state.state !== "failed" && part.state.state !== wish)
      writePartState(part.folder, { ...part.state, state: wish });
  }

  async #remove(id: string): Promise<EncoderResult<"remove">> {
    const { folders } = readHubSettings();
    let freedBytes = 0;
    if (folders.includes(id)) writeHubSettings({ folders: folders.filter((folder) => folder !== id) });
    else {
      if (id.startsWith("default"))
        throw new ParallaxError(
          "encoders.embedded",
          `${id} is installed with Parallax and stays. Nothing was removed.`,
          {
            hint: "Other encoders can be removed.",
            details: { id },
          },
        );
      if (findStored(id) === null) throw notStored(id);
      freedBytes = removeStored(id);
    }
    this.#emit("removed", { id });
    if (!folders.includes(id) && !existsSync(id)) this.#emit("changed", { entry: availableEntry(id) });
    this.#emit("disk", diskUse());
    return { freedBytes };
  }

  /** How a row looks now. An error that left no part is told with the row. */
  async #tell(id: string, failure: unknown = null): Promise<void> {
    let entry: EncoderEntry;
    try {
      entry = await entryOf(id, this.#known);
    } catch (error) {
      entry = { ...availableEntry(id), state: "failed", error: toErrorData(error) };
    }
    if (failure !== null && entry.state !== "ready") entry = { ...entry, state: "failed", error: toErrorData(failure) };
    this.#emit("changed", { entry: this.#withRunning(entry) });
  }

  #withRunning(entry: EncoderEntry): EncoderEntry {
    const running = this.#running.get(entry.id);
    return running === undefined
      ? entry
      : { ...entry, state: "downloading", progress: running.progress ?? entry.progress, error: null };
  }
}
