/** The encoder service as the host runs it: a real process, a real hub on loopback, a page that listens. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { findPart } from "../../kernels/hub/part.ts";
import { findStored } from "../../kernels/hub/store.ts";
import type { EncoderEvent, EncoderEventPayload } from "../../kernels/protocol/encoders.ts";
import { Encoders, type EncodersOptions } from "../../main/host/encoders.ts";
import { type HubPlace, hubPlace, ID } from "./workplace.ts";

interface Seen {
  event: EncoderEvent;
  payload: unknown;
}

/** A service of a hub place, what it said, and a wait for what it will say. */
function service(place: HubPlace, more: Partial<EncodersOptions> = {}) {
  const seen: Seen[] = [];
  const encoders = new Encoders({
    onEvent: (event, payload) => seen.push({ event, payload }),
    configuration: async () => ({ runs: [], notebooks: [] }),
    onTrouble: (error) => {
      throw error;
    },
    env: { HF_ENDPOINT: place.server.endpoint, PARALLAX_HOME: place.home },
    ...more,
  });
  onTestFinished(() => encoders.dispose());
  const wait = async <E extends EncoderEvent>(event: E, fits: (payload: EncoderEventPayload<E>) => boolean) => {
    for (let waited = 0; waited < 20_000; waited += 20) {
      const found = seen.find((each) => each.event === event && fits(each.payload as EncoderEventPayload<E>));
      if (found) return found.payload as EncoderEventPayload<E>;
      await sleep(20);
    }
    throw new Error(`No such event; seen: ${JSON.stringify(seen.slice(-5))}`);
  };
  const isNow = (state: string) => wait("changed", ({ entry }) => entry.id === ID && entry.state === state);
  return { encoders, seen, wait, isNow };
}

const givesWeights = (seen: { host: string }): boolean => seen.host === "store";

describe("the encoder service", () => {
  test("lists, downloads with progress, loads once, measures, and says who would miss what it removes", async () => {
    const place = await hubPlace();
    const notebook = path.join(place.root, "study.ipynb");
    writeFileSync(notebook, JSON.stringify({ cells: [{ source: `await loadEncoder("${ID}")` }] }));
    const { encoders, seen, isNow } = service(place, {
      configuration: async () => ({
        runs: [{ path: "/runs/a", name: "a", encoder: path.join(place.home, "data/encoders/tiny--bert-of-tests/x") }],
        notebooks: [{ path: notebook, name: "study.ipynb" }],
      }),
    });
    const before = await encoders.call("list", {});
    expect(before.entries.filter((entry) => entry.state === "ready").map((entry) => entry.id)).toContain("default");
    expect(before.entries.find((entry) => entry.id === "BAAI/bge-small-en-v1.5")).toMatchObject({
      state: "available",
      dimensions: 384,
      maxTokens: 512,
      licence: "MIT",
    });
    const found = await encoders.call("find", { query: "bert-of" });
    expect(found.entries).toMatchObject([{ id: ID, state: "available", licence: "mit", languages: ["en"] }]);
    const details = await encoders.call("details", { id: ID });
    expect(details.files.map((file) => file.path)).toContain("model.safetensors");
    const started = await encoders.call("download", { id: ID });
    expect(started.entry.state).toBe("downloading");
    const { entry } = await isNow("ready");
    expect(entry).toMatchObject({ dimensions: 32, maxTokens: 48, pooling: "mean", normalised: true, family: "bert" });
    expect(entry.usedBy.map((use) => use.name)).toEqual(["a", "study.ipynb"]);
    const phases = new Set(
      seen.flatMap(({ event, payload }) =>
        event === "progress" ? [(payload as EncoderEventPayload<"progress">).progress.phase] : [],
      ),
    );
    expect(phases).toEqual(new Set(["downloading", "verifying", "done"]));
    expect(findStored(ID)?.record.verified).toMatchObject({ ok: true, dimensions: 32 });
    const { speed } = await encoders.call("measure", { id: ID });
    expect(speed.textsPerSecond).toBeGreaterThan(10);
    expect((await encoders.call("details", { id: ID })).entry.speed).toEqual(speed);
    expect((await encoders.call("remove", { id: ID })).freedBytes).toBeGreaterThan(100_000);
    expect(findStored(ID)).toBeNull();
  });

  test("pauses, goes on, cancels and frees the part", async () => {
    const place = await hubPlace();
    place.server.trouble = (seen) => (givesWeights(seen) ? { stallAfter: 50_000 } : undefined);
    const { encoders, wait, isNow } = service(place);
    await encoders.call("download", { id: ID });
    await wait("progress", ({ progress }) => progress.doneBytes > 50_000);
    await encoders.call("pause", { id: ID });
    const paused = await isNow("paused");
    expect(paused.entry.progress?.doneBytes).toBeGreaterThan(50_000);
    await encoders.call("download", { id: ID });
    await encoders.call("cancel", { id: ID });
    expect((await isNow("partial")).entry.error).toBeNull();
    await expect(encoders.call("cancel", { id: ID })).rejects.toMatchObject({ code: "encoders.not-downloading" });
    expect((await encoders.call("remove-part", { id: ID })).freedBytes).toBeGreaterThan(50_000);
    expect(findPart(ID)).toBeNull();
  });

  test("that is killed is started again, and its download goes on to the same bits", async () => {
    const place = await hubPlace();
    place.server.trouble = (seen, n) => (givesWeights(seen) && n === 1 ? { stallAfter: 50_000 } : undefined);
    const { encoders, wait, isNow } = service(place);
    await encoders.call("download", { id: ID });
    await wait("progress", ({ progress }) => progress.doneBytes > 50_000);
    const first = encoders.pid!;
    process.kill(first, "SIGKILL");
    await isNow("ready");
    expect(encoders.pid).not.toBe(first);
    const stored = readFileSync(path.join(findStored(ID)!.folder, "model.safetensors"));
    expect(stored.equals(readFileSync(path.join(place.model, "model.safetensors")))).toBe(true);
    expect(place.server.seen.filter(givesWeights).map((seen) => seen.range)).toEqual([undefined, "bytes=50000-"]);
  });

  test("that quits in a download goes on when somebody looks again", async () => {
    const place = await hubPlace();
    place.server.trouble = (seen, n) => (givesWeights(seen) && n === 1 ? { stallAfter: 50_000 } : undefined);
    const first = service(place);
    await first.encoders.call("download", { id: ID });
    await first.wait("progress", ({ progress }) => progress.doneBytes > 50_000);
    await first.encoders.dispose();
    expect(findPart(ID)).toMatchObject({ pid: null, state: { state: "downloading" } });
    const second = service(place);
    await second.encoders.call("list", {});
    await second.isNow("ready");
  });

  test("keeps what failed with its reason, and what is no encoder as failed", async () => {
    const place = await hubPlace();
    const { encoders, wait } = service(place);
    await encoders.call("download", { id: "tiny/nobody" });
    const { entry } = await wait("changed", (each) => each.entry.id === "tiny/nobody" && each.entry.state === "failed");
    expect(entry.error?.code).toBe("hub.not-found");
    writeFileSync(path.join(place.model, "config.json"), JSON.stringify({ model_type: "gpt2" }));
    await encoders.call("download", { id: ID });
    const failed = await wait("changed", (each) => each.entry.id === ID && each.entry.state === "failed");
    expect(failed.entry.error?.code).toMatch(/^(encoder|model)\./);
    expect(findStored(ID)?.record.verified?.ok).toBe(false);
  });

  test("lists a folder of the user's and forgets it without touching it", async () => {
    const place = await hubPlace();
    const { encoders } = service(place);
    const { entry } = await encoders.call("add-folder", { path: place.model });
    expect(entry).toMatchObject({
      id: place.model,
      source: "folder",
      state: "ready",
      sha256: "not known",
      dimensions: 32,
    });
    await expect(encoders.call("add-folder", { path: place.root })).rejects.toMatchObject({
      code: expect.stringMatching(/^encoder\./),
    });
    expect(await encoders.call("remove", { id: place.model })).toEqual({ freedBytes: 0 });
    expect(existsSync(path.join(place.model, "config.json"))).toBe(true);
    expect((await encoders.call("list", {})).entries.map((each) => each.id)).not.toContain(place.model);
  });

  test("keeps mirror and offline, and the keychain's token in memory only", async () => {
    const place = await hubPlace({ token: "hf_secretoftests" });
    let kept: string | null = null;
    const vault = {
      name: "the keychain of the tests",
      unavailable: () => null,
      read: () => kept,
      write: (token: string | null) => {
        kept = token;
      },
    };
    const { encoders, isNow } = service(place, { vault, env: { PARALLAX_HOME: place.home } });
    expect(await encoders.call("set-settings", { mirror: `${place.server.endpoint}/` })).toMatchObject({
      endpoint: place.server.endpoint,
      endpointFrom: "setting",
      token: { present: false, keptIn: "none" },
    });
    const settings = await encoders.call("set-token", { token: "hf_secretoftests" });
    expect(settings.token).toMatchObject({ present: true, keptIn: "system keychain" });
    expect(JSON.stringify(settings)).not.toContain("secretoftests");
    await encoders.call("download", { id: ID });
    await isNow("ready");
    expect(existsSync(path.join(place.home, "config/hub-token"))).toBe(false);
    await encoders.call("set-settings", { offline: true });
    const requests = place.server.seen.length;
    expect((await encoders.call("find", { query: "bge" })).note).toContain("offline");
    expect(place.server.seen).toHaveLength(requests);
    mkdirSync(place.home, { recursive: true });
  });
});
