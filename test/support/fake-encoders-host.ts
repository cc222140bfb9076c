/** A host in the page that knows encoders only: some are here, one downloads while you watch, some failed. */
import type {
  DownloadProgress,
  EncoderDetails,
  EncoderEntry,
  EncoderSettings,
} from "../../kernels/protocol/encoders.ts";
import { HOST_PROTOCOL_VERSION, type Port } from "../../kernels/protocol/host-methods.ts";

export interface FakeEncodersHost {
  connect: () => Promise<Port>;
  calls: { method: string; params: unknown }[];
}

export function encoderEntry(id: string, more: Partial<EncoderEntry> = {}): EncoderEntry {
  return {
    id,
    source: "hub",
    name: id.split("/").at(-1) ?? id,
    dimensions: 384,
    maxTokens: 512,
    sizeBytes: 133_466_304,
    licence: "MIT",
    languages: ["en"],
    prompts: { count: 0, names: [] },
    pooling: "mean",
    normalised: true,
    family: "bert",
    state: "ready",
    revision: "5c38ec7c405ec4b44b94cc5a9bb96e735b38267a",
    sha256: "as published",
    speed: null,
    usedBy: [],
    progress: null,
    error: null,
    note: null,
    ...more,
  };
}

export function downloadProgress(done: number, more: Partial<DownloadProgress> = {}): DownloadProgress {
  const weights = 133_466_304;
  const small = 711_661;
  const files = [
    { path: "config.json", doneBytes: Math.min(done, 743), totalBytes: 743 },
    { path: "tokenizer.json", doneBytes: Math.min(small, Math.max(0, done - 743)), totalBytes: small },
    { path: "model.safetensors", doneBytes: Math.max(0, done - 743 - small), totalBytes: weights },
  ];
  return {
    files,
    doneBytes: done,
    totalBytes: 743 + small + weights,
    rate: 4_200_000,
    etaMs: ((743 + small + weights - done) / 4_200_000) * 1000,
    phase: "downloading",
    note: null,
    ...more,
  };
}

const SPEED = {
  textsPerSecond: 612.4,
  texts: 3072,
  provider: "cpu",
  precision: "fp32",
  threads: 4,
  measuredAt: "2026-03-01T10:00:00.000Z",
};

function usual(): EncoderEntry[] {
  const e5 = { count: 2, names: ["query", "passage"] };
  return [
    encoderEntry("default", {
      source: "embedded",
      name: "all-MiniLM-L6-v2",
      maxTokens: 256,
      sizeBytes: 45_800_000,
      licence: "Apache-2.0",
      speed: SPEED,
      note: "Installed with Parallax: float32.",
    }),
    encoderEntry("BAAI/bge-small-en-v1.5", {
      prompts: { count: 1, names: ["query"] },
      speed: { ...SPEED, textsPerSecond: 318 },
      usedBy: [
        { kind: "run", path: "/home/ada/notebooks/runs/a", name: "lively-otter" },
        { kind: "notebook", path: "/home/ada/notebooks/retrieval.ipynb", name: "retrieval.ipynb" },
      ],
    }),
    encoderEntry("intfloat/e5-small-v2", { prompts: e5, state: "downloading", progress: downloadProgress(81_860_000) }),
    encoderEntry("intfloat/multilingual-e5-small", {
      prompts: e5,
      sizeBytes: 471_000_000,
      family: "roberta",
      languages: ["multilingual", ...Array.from({ length: 94 }, (_, i) => `l${i}`)],
      state: "paused",
      progress: downloadProgress(30_000_000, { rate: null, etaMs: null }),
    }),
    encoderEntry("thenlper/gte-small", {
      sizeBytes: 66_700_000,
      state: "failed",
      sha256: "not known",
      progress: downloadProgress(712_404, { rate: null, etaMs: null }),
      error: {
        code: "hub.wrong-hash",
        kind: "environment",
        message:
          "thenlper/gte-small does not match its checksum: model.safetensors, expected sha256 9f3c2a61…, got 41aa07d2…. The file was removed, other encoders are untouched.",
        hint: "Download it again, or take it from a folder that you trust.",
      },
    }),
    encoderEntry("/home/ada/models/my-encoder", {
      source: "folder",
      name: "my-encoder",
      sha256: "not known",
      licence: null,
      revision: null,
      speed: null,
    }),
    encoderEntry("BAAI/bge-m3", {
      dimensions: 1024,
      maxTokens: 8192,
      sizeBytes: 2_270_000_000,
      family: "roberta",
      languages: ["multilingual"],
      state: "available",
      sha256: "not known",
      revision: null,
    }),
    encoderEntry("hkunlp/instructor-large", {
      dimensions: 768,
      sizeBytes: 1_340_000_000,
      licence: "Apache-2.0",
      family: "t5",
      prompts: { count: 45, names: ["query", "passage"] },
      state: "available",
      sha256: "not known",
      revision: null,
      note: "Its attention sees the instruction, its mean leaves it out.",
    }),
    encoderEntry("sentence-transformers/all-mpnet-base-v2", {
      dimensions: 768,
      maxTokens: 384,
      sizeBytes: 438_000_000,
      licence: "Apache-2.0",
      family: "mpnet",
      state: "available",
      sha256: "not known",
      revision: null,
    }),
  ];
}

const BGE_PROMPT = "Represent this sentence for searching relevant passages: ";

function details(entry: EncoderEntry): EncoderDetails {
  const prompts = entry.id.includes("bge")
    ? [{ name: "query", template: BGE_PROMPT }]
    : entry.prompts.names.map((name) => ({ name, template: `${name}: ` }));
  const trust = entry.sha256;
  return {
    entry,
    folder: entry.state === "available" ? null : `/home/ada/.local/share/parallax/encoders/${entry.name}/5c38ec7c`,
    spec: [
      { field: "architecture", value: entry.family ?? "" },
      { field: "pooling", value: "cls" },
      { field: "dense layers", value: "none" },
      { field: "prompt in the pooling", value: "yes" },
      { field: "similarity", value: "cosine" },
    ],
    contradictions: entry.id.includes("bge-small")
      ? [{ field: "pooling", folder: "mean", catalogue: "cls", used: "folder" }]
      : [],
    prompts,
    files: [
      { path: "config.json", sizeBytes: 743, sha256: null, gitSha1: "0".repeat(40), trust },
      { path: "tokenizer.json", sizeBytes: 711_661, sha256: null, gitSha1: "1".repeat(40), trust },
      {
        path: "model.safetensors",
        sizeBytes: 133_466_304,
        sha256: "3c9f31665447c8911517620762200d2245a2518d6e7208acc7",
        gitSha1: null,
        trust,
      },
    ],
    onnxVariants: [
      { path: "onnx/model.onnx", sizeBytes: 133_093_490, installed: false },
      { path: "onnx/model_quantized.onnx", sizeBytes: 34_014_426, installed: true },
    ],
    notes: ["The prompt is for queries of retrieval only; passages and all other tasks have none."],
    url: entry.source === "hub" ? `https://huggingface.co/${entry.id}` : null,
  };
}

const noToken: EncoderSettings["token"] = {
  present: false,
  keptIn: "none",
  where: "no token is kept",
  goesTo: "the file ~/.config/parallax/hub-token, readable by you only",
  problem: null,
};

export function fakeEncodersHost({ scene }: { scene: string }): FakeEncodersHost {
  const calls: FakeEncodersHost["calls"] = [];
  let chosen = 0;
  let entries = scene === "empty" ? [] : usual();
  const settings: EncoderSettings = {
    mirror: null,
    endpoint: "https://huggingface.co",
    endpointFrom: "default",
    offline: false,
    offlineFrom: null,
    token: noToken,
  };
  const disk = {
    encodersBytes: 240_000_000,
    cacheBytes: 12_000_000,
    freeBytes: 42_000_000_000,
    folder: "/home/ada/.local/share/parallax/encoders",
  };
  const connect = async (): Promise<Port> => {
    const listeners = new Set<(message: unknown) => void>();
    const say = (message: unknown) => {
      for (const listener of listeners) listener(structuredClone(message));
    };
    const set = (id: string, change: Partial<EncoderEntry>): EncoderEntry => {
      const entry = { ...(entries.find((each) => each.id === id) ?? encoderEntry(id)), ...change };
      entries = entries.some((each) => each.id === id)
        ? entries.map((each) => (each.id === id ? entry : each))
        : [...entries, entry];
      say({ event: "encoders.changed", payload: { entry } });
      return entry;
    };
    const answer = async (method: string, params: Record<string, unknown>): Promise<unknown> => {
      const id = String(params.id ?? "");
      const entry = entries.find((each) => each.id === id);
      switch (method) {
        case "app.hello":
          return {
            version: HOST_PROTOCOL_VERSION,
            product: "Parallax",
            shell: scene === "desktop" ? "electron" : "browser",
            platform: "linux",
            root: "/home/ada/notebooks",
            cores: 4,
            memoryBytes: 16 * 2 ** 30,
            settings: { theme: "system", density: "comfortable", threads: 4 },
          };
        case "encoders.list":
          if (scene === "broken")
            throw {
              code: "encoders.service-stopped",
              kind: "environment",
              message:
                "The process that looks after encoders stopped (exit code 1). What was downloaded so far is kept.",
              hint: "Try again; a download goes on where it was.",
            };
          return { entries, disk };
        case "encoders.settings":
          return settings;
        case "encoders.details":
          return details(entry ?? encoderEntry(id));
        case "encoders.find":
          if (params.query === "broken")
            throw {
              code: "hub.no-connection",
              kind: "environment",
              message: "huggingface.co was asked for models, but its name is not known here (ENOTFOUND).",
              hint: "Check the network, HTTPS_PROXY and the hub's address.",
            };
          return {
            entries: [encoderEntry("someone/bge-of-mine", { state: "available", sizeBytes: null, licence: null })],
            note: null,
          };
        case "encoders.download":
          return { entry: set(id, { state: "downloading", error: null, progress: downloadProgress(30_000_000) }) };
        case "encoders.pause":
          set(id, { state: "paused" });
          return {};
        case "encoders.cancel":
          set(id, { state: "partial" });
          return {};
        case "encoders.remove-part":
          set(id, { state: "available", progress: null });
          return { freedBytes: 30_000_000 };
        case "encoders.remove":
          entries = entries.filter((each) => each.id !== id);
          say({ event: "encoders.removed", payload: { id } });
          return { freedBytes: 133_000_000 };
        case "encoders.measure":
          for (let at = 0; at <= 4; at++) {
            say({
              event: "encoders.measuring",
              payload: {
                id,
                progress: {
                  phase: at === 0 ? "loading" : "measuring",
                  row: 1,
                  rows: 2,
                  provider: "cpu",
                  threads: 1,
                  texts: at * 300,
                  rate: at === 0 ? null : 488,
                  doneMs: at * 600,
                  totalMs: 5000,
                  etaMs: at === 0 ? null : 5600 - at * 600,
                },
              },
            });
            await new Promise((resolve) => setTimeout(resolve, scene === "slow" && at === 3 ? 60_000 : 200));
          }
          set(id, { speed: { ...SPEED, textsPerSecond: 488, measuredAt: new Date().toISOString() } });
          return { speed: { ...SPEED, textsPerSecond: 488 } };
        case "folders.choose":
          // Once a folder, then nothing.
          return { path: chosen++ === 0 ? "/home/ada/my-encoder" : null };
        case "folders.list": {
          if (String(params.path).startsWith("/locked"))
            throw {
              code: "folder.unreadable",
              kind: "environment",
              message: "/locked could not be listed: you may not read it. Nothing was changed.",
              hint: "Choose another folder, or ask for the right to read this one.",
            };
          const folder = params.path === null ? "/home/ada" : String(params.path);
          const names = ["data", "models", "my-encoder", ...(params.hidden ? [".cache"] : [])];
          return {
            folder,
            parent: folder === "/" ? null : folder.replace(/\/[^/]+$/, "") || "/",
            isModel: folder.endsWith("my-encoder"),
            folders: names.map((name) => ({ name, path: `${folder}/${name}`, isModel: name === "my-encoder" })),
            left: 0,
            places: [
              { name: "Home", path: "/home/ada" },
              { name: "Notebooks", path: "/home/ada/notebooks" },
              { name: "Computer", path: "/" },
            ],
          };
        }
        case "encoders.add-folder":
          throw {
            code: "encoder.not-an-encoder",
            kind: "user",
            message: "Output is [1, 512], expected [batch, tokens, d]. This file is not a text encoder.",
          };
        case "encoders.set-settings":
          Object.assign(settings, params, { offlineFrom: params.offline === true ? "setting" : null });
          return settings;
        case "encoders.set-token":
          settings.token =
            params.token === null
              ? noToken
              : {
                  present: true,
                  keptIn: "file",
                  where: noToken.goesTo,
                  goesTo: noToken.goesTo,
                  problem: null,
                };
          return settings;
        case "encoders.subscribe":
        case "encoders.unsubscribe":
          return {};
        default:
          throw { code: "host.unknown-method", kind: "bug", message: `The fake host does not know ${method}.` };
      }
    };
    return {
      send: (message) => {
        const { id, method, params } = structuredClone(message) as {
          id?: number;
          method: string;
          params: Record<string, unknown>;
        };
        if (id === undefined || method === undefined) return;
        if (method !== "app.hello") calls.push({ method, params });
        answer(method, params ?? {}).then(
          (result) => say({ id, result }),
          (error: unknown) => say({ id, error }),
        );
      },
      onMessage: (listener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      onClose: () => () => undefined,
      close: () => undefined,
    };
  };
  return { connect, calls };
}
