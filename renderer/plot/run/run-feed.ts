/**
 * A run as the host sees it: everything written so far, then what is new. Views of the same folder share one watch,
 * which ends with the last of them and begins again after a lost connection.
 */
import { type ErrorData, isCancelled, toErrorData } from "../../../kernels/protocol/errors.ts";
import type { RunSummary } from "../../../kernels/protocol/run-files.ts";
import type { HostClient } from "../../host/client.ts";
import { RunSeries } from "./run-series.ts";

const LONGEST_LOG = 400_000;

export type FeedState = "loading" | "watching" | "missing";

export class RunFeed {
  readonly series = new RunSeries();
  state: FeedState = "loading";
  run: RunSummary | null = null;
  log = "";
  error: ErrorData | null = null;
  version = 0;
  #listeners = new Set<() => void>();
  #offs: (() => void)[] = [];
  #disposed = false;

  constructor(
    readonly client: HostClient,
    readonly folder: string,
  ) {
    this.#offs.push(
      client.on("run.updated", (event) => {
        if (event.folder !== folder || this.state !== "watching") return;
        this.run = event.run;
        this.series.add(event.metrics);
        this.log = (this.log + event.log).slice(-LONGEST_LOG);
        this.#changed();
      }),
      client.onState((connection) => {
        if (connection.state === "open") void this.load();
      }),
    );
    void this.load();
  }

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };

  async load(): Promise<void> {
    if (this.client.state.state !== "open") return;
    try {
      const { run, metrics, log } = await this.client.call("runs.watch", { folder: this.folder });
      if (this.#disposed) {
        void this.client.call("runs.unwatch", { folder: this.folder }).catch(() => undefined);
        return;
      }
      this.series.clear();
      this.series.add(metrics);
      this.run = run;
      this.log = log.slice(-LONGEST_LOG);
      this.state = "watching";
      this.error = null;
    } catch (error) {
      if (isCancelled(error) || this.#disposed) return;
      this.error = toErrorData(error);
      if (this.state !== "watching") this.state = "missing";
    }
    this.#changed();
  }

  dispose(): void {
    this.#disposed = true;
    for (const off of this.#offs) off();
    // The host forgets the watch by itself when the connection is gone.
    if (this.state === "watching" && this.client.state.state === "open")
      void this.client.call("runs.unwatch", { folder: this.folder }).catch(() => undefined);
  }

  #changed(): void {
    this.version++;
    for (const listener of [...this.#listeners]) listener();
  }
}

const feeds = new WeakMap<HostClient, Map<string, { feed: RunFeed; users: number }>>();

/** Shares the feed of a folder; call the second value when done. */
export function openFeed(client: HostClient, folder: string): [feed: RunFeed, close: () => void] {
  const all = feeds.get(client) ?? new Map<string, { feed: RunFeed; users: number }>();
  feeds.set(client, all);
  const entry = all.get(folder) ?? { feed: new RunFeed(client, folder), users: 0 };
  all.set(folder, entry);
  entry.users++;
  let open = true;
  return [
    entry.feed,
    () => {
      if (!open) return;
      open = false;
      entry.users--;
      if (entry.users > 0) return;
      all.delete(folder);
      entry.feed.dispose();
    },
  ];
}
