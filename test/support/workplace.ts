/** A root folder, an app folder and a host for one test; everything goes when the test ends. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { onTestFinished } from "vitest";
import { HOST_PROTOCOL_VERSION, type HostMethod } from "../../kernels/protocol/host-methods.ts";
import { appFolders } from "../../main/host/app-folders.ts";
import { Host, type HostOptions } from "../../main/host/host.ts";
import type { Cell, Notebook } from "../../notebooks/format/model.ts";
import { newCell, newNotebook } from "../../notebooks/format/ops.ts";
import { printNotebook } from "../../notebooks/format/print.ts";
import { portPair, TestClient } from "./client.ts";

export const FAKE_KERNEL = path.join(import.meta.dirname, "fake-kernel.mjs");

export interface Workplace {
  folder: string;
  root: string;
  home: string;
  options: HostOptions;
  /** A host on the same folders; disposed at the end. */
  host(options?: Partial<HostOptions>): Host;
  /** A greeted page of a host. */
  page(host: Host): Promise<TestClient>;
  /** Writes a notebook with these cells and returns its text. */
  notebook(name: string, sources: string[]): string;
}

export function workplace(): Workplace {
  const folder = mkdtempSync(path.join(tmpdir(), "parallax-test-"));
  const [root, home] = [path.join(folder, "root"), path.join(folder, "home")];
  const hosts: Host[] = [];
  const options: HostOptions = {
    root,
    shell: "browser",
    confined: true,
    folders: appFolders(home),
    warmKernels: false,
    kernelEntry: FAKE_KERNEL,
  };
  onTestFinished(async () => {
    await Promise.all(hosts.map((host) => host.dispose()));
    rmSync(folder, { recursive: true, force: true });
  });
  mkdirSync(root);
  return {
    folder,
    root,
    home,
    options,
    host: (more = {}) => {
      const host = new Host({ ...options, ...more });
      hosts.push(host);
      return host;
    },
    page: async (host) => {
      const [ours, theirs] = portPair();
      host.connect(theirs);
      const client = new TestClient(ours);
      await client.call("app.hello" satisfies HostMethod, { version: HOST_PROTOCOL_VERSION });
      return client;
    },
    notebook: (name, sources) => {
      const { text } = printNotebook(notebookOf(sources), null);
      writeFileSync(path.join(root, name), text);
      return text;
    },
  };
}

/** Code cells c1, c2, … with these sources. */
export function notebookOf(sources: string[]): Notebook {
  const cells = sources.map((source, i): Cell => ({ ...newCell("code", source), id: `c${i + 1}` }));
  return { ...newNotebook(), cells };
}
