/** Downloads from a hub that misbehaves: each ends in the whole model, or in an error that says what is safe. */
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { openEncoder } from "../../kernels/encode/open-encoder.ts";
import { inThreadCompute } from "../../kernels/graph/compute.ts";
import { findPart } from "../../kernels/hub/part.ts";
import { findStored, listStored, modelFolder, removePart, removeStored } from "../../kernels/hub/store.ts";
import type { DownloadProgress } from "../../kernels/protocol/encoders.ts";
import { folderContent, HubServer } from "../support/hub-server.ts";
import { writeTinyBert } from "../support/tiny-bert.ts";
import { type HubPlace, hubPlace, ID } from "./workplace.ts";

const WEIGHTS = "model.safetensors";

/** The stored folder holds the model's own files, bit for bit, and parallax.json. */
function expectWhole({ model }: HubPlace, folder: string): void {
  const { "parallax.json": record, ...files } = folderContent(folder);
  expect(record).toBeDefined();
  expect(files).toEqual(folderContent(model));
}

/** True for the request that gives the weights' bytes. */
const givesWeights = (seen: { host: string; path: string }): boolean =>
  seen.host === "store" && seen.path.endsWith(WEIGHTS);

/** Downloads until about half of the weights is here, then stops. */
async function half(place: HubPlace, reason = "cancel"): Promise<number> {
  const size = readFileSync(path.join(place.model, WEIGHTS)).byteLength;
  place.server.trouble = (seen) => (givesWeights(seen) ? { stallAfter: Math.floor(size / 2) } : undefined);
  const controller = new AbortController();
  const error = await place.refusal({
    signal: controller.signal,
    onProgress: ({ files }) => {
      if ((files.find((file) => file.path === WEIGHTS)?.doneBytes ?? 0) >= Math.floor(size / 2))
        controller.abort(reason);
    },
  });
  expect(error.code).toBe("work.cancelled");
  place.server.trouble = undefined;
  place.server.seen.length = 0;
  return Math.floor(size / 2);
}

describe("a download", () => {
  test("brings the whole model, checked, and it encodes", async () => {
    const place = await hubPlace();
    const progress: DownloadProgress[] = [];
    const stored = await place.download({ onProgress: (each) => progress.push(each) });
    expectWhole(place, stored.folder);
    expect(stored.folder).toBe(path.join(place.home, "data/encoders/tiny--bert-of-tests", place.server.revision(ID)));
    expect(stored.record).toMatchObject({ id: ID, source: place.server.endpoint, licence: "mit", languages: ["en"] });
    expect(new Set(stored.record.files.map((file) => file.trust))).toEqual(new Set(["trusted on first use"]));
    expect(findStored(ID)).toEqual(stored);
    expect(listStored().map((each) => each.id)).toEqual([ID]);
    expect(readdirSync(modelFolder(ID))).toEqual([stored.record.revision]);
    const last = progress.at(-1)!;
    expect(last).toMatchObject({ phase: "done", doneBytes: last.totalBytes });
    const compute = inThreadCompute();
    const [ours, original] = await Promise.all(
      [stored.folder, place.model].map(async (folder) => {
        const encoder = await openEncoder(folder, { compute });
        const { data } = await encoder.encode(["the dog reads a book"]);
        await encoder.dispose();
        return data;
      }),
    );
    await compute.dispose();
    expect(ours).toEqual(original);
  });

  test("of a model that is here asks the hub once and brings no file", async () => {
    const place = await hubPlace();
    const first = await place.download();
    place.server.seen.length = 0;
    expect(await place.download()).toEqual(first);
    expect(place.server.seen).toHaveLength(1);
  });

  test("leaves pickles and other frameworks' weights at the hub", async () => {
    const place = await hubPlace();
    for (const name of ["pytorch_model.bin", "tf_model.h5", "onnx/model.onnx", "openvino/model.bin", "train.py"]) {
      mkdirSync(path.dirname(path.join(place.model, name)), { recursive: true });
      writeFileSync(path.join(place.model, name), "x".repeat(50_000));
    }
    const { record } = await place.download();
    expect(record.files.map((file) => file.path).sort()).toEqual([
      "1_Pooling/config.json",
      "config.json",
      "model.safetensors",
      "modules.json",
      "sentence_bert_config.json",
      "tokenizer.json",
      "tokenizer_config.json",
    ]);
    expect(record.onnxVariants).toEqual([{ path: "onnx/model.onnx", sizeBytes: 50_000 }]);
  });

  test("of an ONNX variant adds it to what is here", async () => {
    const place = await hubPlace();
    mkdirSync(path.join(place.model, "onnx"));
    writeFileSync(path.join(place.model, "onnx/model_int8.onnx"), "x".repeat(50_000));
    await place.download();
    place.server.seen.length = 0;
    const { record } = await place.download({ variant: "onnx/model_int8.onnx" });
    expect(record.files.map((file) => file.path)).toContain("onnx/model_int8.onnx");
    expect(
      place.server.seen.filter((seen) => seen.host === "store").map((seen) => seen.path.split("/").at(-1)),
    ).toEqual(["model_int8.onnx"]);
    expect(await place.refusal({ variant: "onnx/other.onnx" })).toMatchObject({ code: "hub.no-variant" });
  });
});

describe("a connection that breaks", () => {
  test("in the middle of a file is taken up where it was, more than once", async () => {
    const place = await hubPlace();
    place.server.trouble = (seen, n) => (givesWeights(seen) && n <= 3 ? { dropAfter: 20_000 } : undefined);
    const { folder } = await place.download();
    expectWhole(place, folder);
    expect(place.server.seen.filter(givesWeights).map((seen) => seen.range)).toEqual([
      undefined,
      "bytes=20000-",
      "bytes=40000-",
      "bytes=60000-",
    ]);
  });

  test("every time ends in an error that keeps the part", async () => {
    const place = await hubPlace();
    place.server.trouble = (seen, n) => (givesWeights(seen) ? { dropAfter: n === 1 ? 20_000 : 0 } : undefined);
    const error = await place.refusal();
    expect(error).toMatchObject({
      code: expect.stringMatching(/^hub\.(no-connection|wrong-size)$/),
      kind: "environment",
    });
    expect(findPart(ID)).toMatchObject({ state: { state: "failed", error: { code: error.code } }, pid: null });
    expect(findStored(ID)).toBeNull();
    place.server.trouble = undefined;
    expectWhole(place, (await place.download()).folder);
    expect(place.server.seen.filter(givesWeights).at(-1)?.range).toBe("bytes=20000-");
  });

  test("by falling silent is noticed, and the download goes on", async () => {
    const place = await hubPlace();
    place.server.trouble = (seen, n) => (givesWeights(seen) && n === 1 ? { stallAfter: 30_000 } : undefined);
    const { folder } = await place.download({ http: place.http({ stallTimeoutMs: 300 }) });
    expectWhole(place, folder);
    expect(place.server.seen.filter(givesWeights).at(-1)?.range).toBe("bytes=30000-");
  });

  test("to a hub that is not there says so", async () => {
    const place = await hubPlace();
    await place.server.close();
    const error = await place.refusal({ http: place.http({ tries: 2 }) });
    expect(error).toMatchObject({ code: "hub.no-connection", details: { systemCode: "ECONNREFUSED" } });
    expect(existsSync(modelFolder(ID))).toBe(false);
  });

  test("slowly shows bytes, rate and time left", async () => {
    const place = await hubPlace();
    place.server.trouble = (seen) => (givesWeights(seen) ? { slowMs: 60, pieceBytes: 8192 } : undefined);
    const progress: DownloadProgress[] = [];
    await place.download({ onProgress: (each) => progress.push(each) });
    const told = progress.filter((each) => each.rate !== null && each.rate > 0);
    expect(told.length).toBeGreaterThan(1);
    expect(told.every((each) => each.etaMs !== null && each.etaMs >= 0)).toBe(true);
    const done = progress.map((each) => each.doneBytes);
    expect(done).toEqual([...done].sort((a, b) => a - b));
  });
});

describe("a hub that answers wrongly", () => {
  test("with other bytes is refused by the checksum, and the file is gone", async () => {
    const place = await hubPlace();
    const bytes = readFileSync(path.join(place.model, WEIGHTS));
    bytes[bytes.length - 5] ^= 1;
    place.server.trouble = (seen) => (givesWeights(seen) ? { body: bytes } : undefined);
    const error = await place.refusal();
    expect(error.code).toBe("hub.wrong-hash");
    expect(error.message).toMatch(
      /^model\.safetensors of tiny\/bert-of-tests does not match its checksum: expected [0-9a-f]{12}…, got [0-9a-f]{12}…\. The file was removed, other encoders are untouched\.$/,
    );
    expect(findPart(ID)?.progress.files.find((file) => file.path === WEIGHTS)?.doneBytes).toBe(0);
    place.server.trouble = undefined;
    expectWhole(place, (await place.download()).folder);
  });

  test("with other bytes of a small file is refused by git's own hash", async () => {
    const place = await hubPlace();
    const text = readFileSync(path.join(place.model, "config.json"));
    text[5] ^= 1;
    place.server.trouble = (seen) =>
      seen.path.endsWith("/config.json") && !seen.path.includes("1_") ? { body: text } : undefined;
    expect(await place.refusal()).toMatchObject({ code: "hub.wrong-hash", details: { path: "config.json" } });
  });

  test.each([
    ["less", -1000],
    ["more", 1000],
  ])("with %s bytes than it announced is refused", async (_, difference) => {
    const place = await hubPlace();
    const bytes = readFileSync(path.join(place.model, WEIGHTS));
    const body = difference < 0 ? bytes.subarray(0, difference) : Buffer.concat([bytes, Buffer.alloc(difference)]);
    for (const chunked of [false, true]) {
      place.server.trouble = (seen) => (givesWeights(seen) ? { body, chunked } : undefined);
      expect(await place.refusal({ http: place.http({ tries: 3 }) })).toMatchObject({ code: "hub.wrong-size" });
    }
    place.server.trouble = undefined;
    expectWhole(place, (await place.download()).folder);
  });

  test("with the whole file to a range is read from the beginning", async () => {
    const place = await hubPlace();
    await half(place);
    place.server.trouble = (seen) => (givesWeights(seen) ? { ignoreRange: true } : undefined);
    expectWhole(place, (await place.download()).folder);
  });

  test("with another commit or another hash than it listed is refused", async () => {
    const place = await hubPlace();
    place.server.trouble = (seen) =>
      seen.path.endsWith(WEIGHTS) ? { say: { "x-linked-etag": `"${"0".repeat(64)}"` } } : undefined;
    expect(await place.refusal()).toMatchObject({ code: "hub.changed" });
    place.server.trouble = (seen) =>
      seen.path.endsWith(WEIGHTS) ? { say: { "x-repo-commit": "1".repeat(40) } } : undefined;
    expect(await place.refusal()).toMatchObject({ code: "hub.changed" });
  });

  test.each(["no JSON", "[]", '{"sha":"main"}', `{"sha":"${"a".repeat(40)}","siblings":[{"rfilename":7}]}`])(
    "with %s is refused",
    async (text) => {
      const place = await hubPlace({ trouble: () => ({ status: 200, text }) });
      expect(await place.refusal()).toMatchObject({ code: "hub.bad-answer" });
      expect(existsSync(modelFolder(ID))).toBe(false);
    },
  );

  test.each([
    "../config.json",
    "/etc/config.json",
    "a\\..\\config.json",
    "C:config.json",
    "a//config.json",
    "nul.json",
    "x/../../y",
  ])("with the file name %s is refused before a byte is written", async (rfilename) => {
    const place = await hubPlace({
      info: (_, info) => ({ ...info, siblings: [...info.siblings, { rfilename, size: 3, blobId: "0".repeat(40) }] }),
    });
    const error = await place.refusal();
    expect(error.code).toBe("hub.unsafe-path");
    expect(error.message).toContain(JSON.stringify(rfilename));
    expect(existsSync(modelFolder(ID))).toBe(false);
  });

  test("with pickles only, or no weights, says what to do", async () => {
    const info = (name: string) => (_: string, answer: { siblings: { rfilename: string }[] }) => ({
      ...answer,
      siblings: answer.siblings.map((file) => (file.rfilename === WEIGHTS ? { ...file, rfilename: name } : file)),
    });
    const pickle = await hubPlace({ info: info("pytorch_model.bin") });
    const error = await pickle.refusal();
    expect(error.code).toBe("hub.pickle-only");
    expect(error.hint).toContain("safe_serialization=True");
    const none = await hubPlace({ info: info("weights.npz") });
    expect(await none.refusal()).toMatchObject({ code: "hub.no-weights" });
  });
});

describe("a hub that wants us to wait", () => {
  test("is given the time that it asks for", async () => {
    const place = await hubPlace();
    place.server.trouble = (seen, n) =>
      seen.path.startsWith("/api/") && n === 1 ? { status: 429, headers: { "retry-after": "1" } } : undefined;
    const started = Date.now();
    const { folder } = await place.download();
    expect(Date.now() - started).toBeGreaterThanOrEqual(990);
    expectWhole(place, folder);
  });

  test("says while a file waits", async () => {
    const place = await hubPlace();
    place.server.trouble = (seen, n) =>
      givesWeights(seen) && n === 1 ? { status: 429, headers: { "retry-after": "1" } } : undefined;
    const notes = new Set<string | null>();
    await place.download({ onProgress: ({ note }) => notes.add(note) });
    expect(notes).toContain("The hub asks to wait 1 s.");
  });

  test("for an hour is an error at once", async () => {
    const place = await hubPlace({ trouble: () => ({ status: 429, headers: { "retry-after": "3600" } }) });
    expect(await place.refusal()).toMatchObject({ code: "hub.busy", details: { retryAfterMs: 3_600_000 } });
    expect(place.server.seen).toHaveLength(1);
  });

  test("by failing is asked again, a few times", async () => {
    const place = await hubPlace();
    place.server.trouble = (_, n) => (n <= 2 ? { status: 503 } : undefined);
    expectWhole(place, (await place.download()).folder);
    place.server.trouble = () => ({ status: 500 });
    place.server.seen.length = 0;
    expect(await place.refusal()).toMatchObject({ code: "hub.unavailable" });
    expect(place.server.seen).toHaveLength(5);
  });
});

describe("a part", () => {
  test("is kept by a cancel and by a pause, which differ in the wish, and goes on by range", async () => {
    const place = await hubPlace();
    const bytes = await half(place, "pause");
    const part = findPart(ID)!;
    expect(part.state.state).toBe("paused");
    expect(part.progress.files.find((file) => file.path === WEIGHTS)?.doneBytes).toBe(bytes);
    expectWhole(place, (await place.download()).folder);
    expect(place.server.seen.filter(givesWeights).map((seen) => seen.range)).toEqual([`bytes=${bytes}-`]);
    expect(place.server.seen.filter((seen) => seen.path.includes("/resolve/"))).toHaveLength(1);
    removeStored(ID);
    await half(place);
    expect(findPart(ID)?.state.state).toBe("stopped");
    expect(removePart(ID)).toBeGreaterThan(bytes);
    expect(existsSync(modelFolder(ID))).toBe(false);
  });

  test("whose bytes were damaged is fetched once more from the beginning", async () => {
    const place = await hubPlace();
    await half(place);
    const file = path.join(findPart(ID)!.folder, `${WEIGHTS}.part`);
    const bytes = readFileSync(file);
    bytes[100] ^= 1;
    writeFileSync(file, bytes);
    expectWhole(place, (await place.download()).folder);
    expect(place.server.seen.filter(givesWeights).map((seen) => seen.range)).toEqual([
      expect.stringMatching(/^bytes=/),
      undefined,
    ]);
  });

  test("that is longer than the file, or without its state, costs nothing but time", async () => {
    const place = await hubPlace();
    await half(place);
    const part = findPart(ID)!.folder;
    appendFileSync(path.join(part, `${WEIGHTS}.part`), Buffer.alloc(500_000));
    writeFileSync(path.join(part, "download.json"), "{");
    expect(findPart(ID)).toBeNull();
    expectWhole(place, (await place.download()).folder);
  });

  test("of an older revision gives the files that are the same", async () => {
    const place = await hubPlace();
    const bytes = await half(place);
    writeFileSync(path.join(place.model, "README.md"), "A new word.\n");
    const stored = await place.download();
    expectWhole(place, stored.folder);
    expect(place.server.seen.filter(givesWeights).map((seen) => seen.range)).toEqual([`bytes=${bytes}-`]);
    expect(readdirSync(modelFolder(ID))).toEqual([stored.record.revision]);
  });

  test("of older weights is not mixed with the new ones", async () => {
    const place = await hubPlace();
    await half(place);
    writeTinyBert(place.model, { seed: 7 });
    expectWhole(place, (await place.download()).folder);
    expect(place.server.seen.filter(givesWeights).map((seen) => seen.range)).toEqual([undefined]);
  });
});

describe("a stored encoder", () => {
  test("of a newer revision stands beside the older one", async () => {
    const place = await hubPlace();
    const older = await place.download();
    writeTinyBert(place.model, { seed: 7 });
    const newer = await place.download();
    expectWhole(place, newer.folder);
    expect(findStored(ID)?.record.revision).toBe(newer.record.revision);
    expect(findStored(ID, older.record.revision)?.folder).toBe(older.folder);
    expect(await place.refusal({ revision: "0".repeat(40) })).toMatchObject({ code: "hub.no-revision" });
    expect(removeStored(ID)).toBeGreaterThan(100_000);
    expect(listStored()).toEqual([]);
  });

  test("that lost a file says which, and a download mends it", async () => {
    const place = await hubPlace();
    const { folder } = await place.download();
    truncateSync(path.join(folder, WEIGHTS), 1000);
    expect(findStored(ID)?.faults).toEqual([
      expect.stringMatching(/^model\.safetensors has 1000 bytes instead of \d+$/),
    ]);
    place.server.seen.length = 0;
    expectWhole(place, (await place.download()).folder);
    expect(place.server.seen.filter((seen) => seen.path.includes("/resolve/"))).toHaveLength(1);
  });

  test("is as published when its hash is known, and another hash is refused before a byte is read", async () => {
    const place = await hubPlace();
    const { record } = await place.download();
    const sha256 = record.files.find((file) => file.path === WEIGHTS)!.sha256;
    removeStored(ID);
    const known = (hash: string) => (_id: string, _revision: string, file: string) => (file === WEIGHTS ? hash : null);
    const again = await place.download({ knownSha256: known(sha256) });
    expect(again.record.files.find((file) => file.path === WEIGHTS)?.trust).toBe("as published");
    removeStored(ID);
    place.server.seen.length = 0;
    const error = await place.refusal({ knownSha256: known("f".repeat(64)) });
    expect(error.code).toBe("hub.known-hash");
    expect(place.server.seen).toHaveLength(1);
  });

  test("that is downloaded again must have the hash of the first time", async () => {
    const place = await hubPlace();
    const { record } = await place.download();
    removeStored(ID);
    const other = await HubServer.start({
      models: { [ID]: writeTinyBert(path.join(place.root, "other"), { seed: 9 }) },
      info: (_, info) => ({ ...info, sha: record.revision }),
    });
    const error = await place.refusal({ http: place.http({ endpoint: other.endpoint }) });
    await other.close();
    expect(error.code).toBe("hub.known-hash");
    expect(error.message).toContain("an earlier download of the same revision had");
  });
});

describe("a disk without space", () => {
  test("is noticed before the first byte", async () => {
    const place = await hubPlace();
    const error = await place.refusal({ freeBytes: () => 60_000 });
    expect(error.code).toBe("hub.disk-full");
    expect(error.message).toMatch(/^tiny\/bert-of-tests: needs \d+ kB, 60 kB free\./);
    expect(place.server.seen.filter((seen) => seen.path.includes("/resolve/"))).toEqual([]);
  });

  test("in the middle of a file keeps the part, and the download goes on once there is some", async () => {
    const place = await hubPlace();
    let room = 60_000;
    const error = await place.refusal({
      write: async (handle, bytes) => {
        const fits = bytes.subarray(0, Math.max(0, Math.min(room, bytes.byteLength)));
        room -= fits.byteLength;
        await handle.write(fits);
        if (fits.byteLength < bytes.byteLength) throw Object.assign(new Error("no space"), { code: "ENOSPC" });
      },
    });
    expect(error).toMatchObject({ code: "hub.disk-full", kind: "environment" });
    expect(findPart(ID)?.state).toMatchObject({ state: "failed", error: { code: "hub.disk-full" } });
    expectWhole(place, (await place.download()).folder);
  });
});
