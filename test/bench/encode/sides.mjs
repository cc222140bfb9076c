/** The processes that race: each answers one message at a time, and none works while another one does. */
import { execFileSync, fork, spawn, spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { python } from "../support/python.mjs";

const here = path.dirname(fileURLToPath(import.meta.url));

/** transformers.js and what it depends on, from the npm registry alone, once: no package's own script runs. */
export function installRival() {
  if (existsSync(path.join(here, "node_modules/@huggingface/transformers/package.json"))) return;
  console.error("Installing transformers.js for this bench (once)…");
  const windows = process.platform === "win32";
  execFileSync(
    windows ? "npm.cmd" : "npm",
    ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock"],
    { cwd: here, stdio: ["ignore", 2, 2], shell: windows },
  );
}

/** Rejects when no answer comes in time, so that no bench waits for ever; the process is ended then. */
function within(answer, ms, child, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => {
      child.kill("SIGKILL");
      reject(new Error(`${what} gave no answer in ${Math.round(ms / 1000)} s and was ended.`));
    }, ms);
  });
  return Promise.race([answer, late]).finally(() => clearTimeout(timer));
}

/** A Node process. */
export function nodeSide(name, file, folder) {
  const child = fork(file, [folder], { stdio: ["ignore", 2, "inherit", "ipc"], serialization: "advanced" });
  let waiting;
  const settle = (how, value) => {
    waiting?.[how](value);
    waiting = undefined;
  };
  child.on("message", (answer) =>
    answer.error ? settle("reject", new Error(answer.error)) : settle("resolve", answer),
  );
  child.on("exit", (code, signal) => settle("reject", new Error(`${name} ended with ${signal ?? `code ${code}`}.`)));
  return {
    ask: (message, limitMs) =>
      within(
        new Promise((resolve, reject) => {
          waiting = { resolve, reject };
          child.send(message);
        }),
        limitMs,
        child,
        name,
      ),
    close: () => child.kill("SIGKILL"),
  };
}

/**
 * PyTorch's process, or undefined where there is none. glibc keeps freed memory there: giving it back and faulting it in
 * again costs PyTorch up to half of its time on long texts.
 */
export function torchSide(weights, threads) {
  if (spawnSync(python, ["-c", "import torch, numpy"]).status !== 0) return undefined;
  const child = spawn(python, ["-u", path.join(here, "theirs.py"), weights, String(threads)], {
    stdio: ["pipe", "pipe", "inherit"],
    env: {
      ...process.env,
      OPENBLAS_NUM_THREADS: String(threads),
      MKL_NUM_THREADS: String(threads),
      MALLOC_MMAP_MAX_: "0",
      MALLOC_TRIM_THRESHOLD_: String(2 ** 34),
      MALLOC_TOP_PAD_: String(2 ** 26),
    },
  });
  // A process that has ended is told of by its silent stdout.
  child.stdin.on("error", () => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const next = async () => {
    const { value, done } = await lines.next();
    if (done) throw new Error("PyTorch ended.");
    return JSON.parse(value);
  };
  return {
    ask: (message, limitMs) => {
      child.stdin.write(`${JSON.stringify(message)}\n`);
      return within(next(), limitMs, child, "PyTorch");
    },
    close: () => child.kill("SIGKILL"),
  };
}
