/** Encoders in words: their state, their progress, what a row is called. */
import type {
  DownloadProgress,
  EncoderEntry,
  EncoderSettings,
  HashTrust,
  MeasureProgress,
} from "../../../kernels/protocol/encoders.ts";
import { formatCount, formatDiskBytes, formatDuration, formatRate } from "../../ui/units.ts";

export interface StateWords {
  glyph: string;
  word: string;
  tone: "ok" | "busy" | "warn" | "error" | "quiet";
}

export function stateWords(entry: EncoderEntry): StateWords {
  const share = entry.progress === null ? null : percent(entry.progress);
  switch (entry.state) {
    case "ready":
      return { glyph: "✓", word: "ready", tone: "ok" };
    case "downloading":
      return { glyph: "◐", word: phaseWord(entry.progress) ?? `${share ?? 0} %`, tone: "busy" };
    case "paused":
      return { glyph: "■", word: share === null ? "paused" : `paused at ${share} %`, tone: "warn" };
    case "partial":
      return { glyph: "■", word: share === null ? "stopped" : `stopped at ${share} %`, tone: "warn" };
    case "failed":
      return { glyph: "✕", word: "failed", tone: "error" };
    case "damaged":
      return { glyph: "✕", word: "damaged", tone: "error" };
    case "available":
      return { glyph: "○", word: "not here", tone: "quiet" };
  }
}

/** What a download does when it does not download; null while it does. */
function phaseWord(progress: DownloadProgress | null): string | null {
  if (progress?.phase === "checking") return "Checking…";
  return progress?.phase === "verifying" || progress?.phase === "done" ? "Loading once to verify" : null;
}

export function percent(progress: DownloadProgress): number {
  return progress.totalBytes > 0 ? Math.floor((100 * progress.doneBytes) / progress.totalBytes) : 0;
}

/** "82 of 134 MB", with one unit when both share it. */
export function bytesOf(done: number, total: number): string {
  const [a, b] = [formatDiskBytes(done), formatDiskBytes(total)];
  const unit = b.slice(b.indexOf(" "));
  return `${a.endsWith(unit) ? a.slice(0, -unit.length) : a} of ${b}`;
}

/** "model.safetensors 81 of 133 MB": the file that comes now; null when all are here. */
export function currentFile(progress: DownloadProgress): string | null {
  const open = progress.files.filter((file) => file.doneBytes < file.totalBytes);
  const file = open.find((each) => each.doneBytes > 0) ?? open[0];
  return file === undefined ? null : `${file.path} ${bytesOf(file.doneBytes, file.totalBytes)}`;
}

/** Everything that is known of a download, in one line of text. */
export function progressText(entry: EncoderEntry): string {
  const { progress } = entry;
  if (progress === null) return "";
  const here = progress.files.filter((file) => file.doneBytes >= file.totalBytes).length;
  const parts = [`${bytesOf(progress.doneBytes, progress.totalBytes)}, ${here} of ${progress.files.length} files`];
  if (entry.state === "downloading") {
    const file = currentFile(progress);
    if (file !== null) parts.unshift(file);
    if (progress.phase === "downloading") {
      if (progress.rate !== null) parts.push(`${formatDiskBytes(progress.rate)}/s`);
      if (progress.etaMs !== null) parts.push(`${formatDuration(progress.etaMs)} left`);
    } else parts.push(phaseWord(progress) ?? "");
    if (progress.note !== null) parts.push(progress.note);
  }
  return parts.join(" · ");
}

/** "cpu, 4 threads (2 of 3) · 1,024 texts · 318 texts/s · 3.1 s left". */
export function measureText(progress: MeasureProgress | null): string {
  if (progress === null) return "Starting…";
  const { phase, row, rows, provider, threads, texts, rate, etaMs } = progress;
  if (phase === "waiting") return "Waiting until another encoder is measured";
  const parts: string[] = [];
  if (provider !== null)
    parts.push(
      `${provider}, ${threads} ${threads === 1 ? "thread" : "threads"}${rows > 1 ? ` (${row} of ${rows})` : ""}`,
    );
  if (phase === "loading") parts.push("loading…");
  else if (phase === "warming up") parts.push("warming up…");
  else parts.push(`${formatCount(texts)} texts`);
  if (rate !== null) parts.push(formatRate(rate, "texts"));
  if (etaMs !== null) parts.push(`${formatDuration(etaMs)} left`);
  return parts.join(" · ");
}

/** Spoken name of a row: what decides a choice, and the state. */
export function rowName(entry: EncoderEntry): string {
  return [
    entry.name,
    entry.dimensions === null ? null : `${formatCount(entry.dimensions)} dimensions`,
    entry.maxTokens === null ? null : `${formatCount(entry.maxTokens)} tokens`,
    entry.sizeBytes === null ? null : formatDiskBytes(entry.sizeBytes),
    entry.licence,
    entry.state === "downloading" ? "downloading" : stateWords(entry).word,
  ]
    .filter((part) => part !== null)
    .join(", ");
}

export function languagesText(languages: readonly string[]): string {
  if (languages.length === 0) return "–";
  if (languages.includes("multilingual")) {
    const others = languages.length - 1;
    return others === 0 ? "multilingual" : `${others} languages`;
  }
  return languages.length <= 3 ? languages.join(", ") : `${formatCount(languages.length)} languages`;
}

const POOLINGS: Record<string, string> = {
  mean: "mean",
  cls: "CLS token",
  max: "max",
  "mean-sqrt-length": "mean × √length",
  "weighted-mean": "position-weighted mean",
  "last-token": "last token",
  model: "inside the ONNX file",
  static: "static: the mean of token vectors",
};

export function poolingText(pooling: string | null): string {
  return pooling === null ? "–" : (POOLINGS[pooling] ?? pooling);
}

export const TRUST_WORDS: Record<HashTrust, string> = {
  "as published": "✓ as published: equal to the sha256 that Parallax knows",
  "trusted on first use": "✓ trusted on first use: equal to what the hub itself said at the first download",
  "not known": "not known: nothing to compare with",
};

export const TRUST_SHORT: Record<HashTrust, string> = {
  "as published": "✓ as published",
  "trusted on first use": "✓ trusted on first use",
  "not known": "not known",
};

/** "run lively-otter and notebook retrieval.ipynb". */
export function usesText(uses: EncoderEntry["usedBy"]): string {
  const names = uses.slice(0, 4).map((use) => `${use.kind} ${use.name}`);
  if (uses.length > 4) names.push(`${uses.length - 4} more`);
  return names.length < 2 ? (names[0] ?? "") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}

/** Name of the computer that downloads and searches ask. */
export function hubHost(settings: EncoderSettings | null): string {
  if (settings === null) return "the hub";
  try {
    return new URL(settings.endpoint).host;
  } catch {
    return settings.endpoint;
  }
}
