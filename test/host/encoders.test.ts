/** The host's side of the encoder service, with a stand-in for its process. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { Job } from "../../kernels/protocol/host-methods.ts";
import { DownloadJobs, encoderOfJob } from "../../main/host/download-jobs.ts";
import { Encoders } from "../../main/host/encoders.ts";
import { downloadProgress, encoderEntry } from "../support/fake-encoders-host.ts";

const SERVICE = `
process.on("disconnect", () => process.exit(0));
process.on("message", ({ id, method }) => {
  if (method === "remove") process.send({ id, result: { freedBytes: process.pid } });
});
`;

function encoders(idleMs?: number): Encoders {
  const folder = mkdtempSync(path.join(tmpdir(), "parallax-encoders-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const entry = path.join(folder, "service.mjs");
  writeFileSync(entry, SERVICE);
  return new Encoders({
    onEvent: () => undefined,
    configuration: async () => ({ runs: [], notebooks: [] }),
    onTrouble: (error) => {
      throw error;
    },
    entry,
    idleMs,
  });
}

test("a download is a job until it ends, with the bytes that are here and the time left", () => {
  const seen: Job[] = [];
  const jobs = new DownloadJobs((job) => seen.push(job));
  const downloading = encoderEntry("a/b", { state: "downloading", progress: downloadProgress(1000) });
  jobs.note("progress", { id: "a/b", progress: downloadProgress(500) });
  jobs.note("changed", { entry: downloading });
  jobs.note("progress", { id: "a/b", progress: downloadProgress(2000) });
  jobs.note("changed", { entry: { ...downloading, state: "paused" } });
  jobs.note("progress", { id: "a/b", progress: downloadProgress(2000) });
  expect(seen.map(({ stage, done, finished }) => [stage, done, finished])).toEqual([
    ["Downloading a/b", 1000, false],
    ["Downloading a/b", 2000, false],
    ["Downloading a/b", 2000, true],
  ]);
  expect([encoderOfJob(seen[0]!.id), encoderOfJob("cell-1")]).toEqual(["a/b", null]);
});

test("closing does not wait for a service that has left", async () => {
  const host = encoders();
  await host.call("remove", { id: "a/b" });
  const began = Date.now();
  await host.dispose();
  expect(Date.now() - began).toBeLessThan(2000);
});

test("a service that was let go is started again by the next call", async () => {
  const host = encoders(0);
  const first = await host.call("remove", { id: "a/b" });
  await expect.poll(() => host.pid, { timeout: 5000 }).toBeUndefined();
  const second = await host.call("remove", { id: "a/b" });
  expect(second.freedBytes).not.toBe(first.freedBytes);
  await host.dispose();
});
