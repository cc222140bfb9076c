/** `parallax serve` in a temporary folder: the real host, real kernels, the built page. */
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { appFolders } from "../../main/host/app-folders.ts";
import { type RunningServer, startServer } from "../../main/server/http.ts";

export interface PageServer {
  address: string;
  root: string;
  server: RunningServer;
  close(): Promise<void>;
}

export interface PageServerOptions {
  /** Files to place below the root: relative path → where they come from. */
  files?: Record<string, string>;
}

export async function startPageServer(options: PageServerOptions = {}): Promise<PageServer> {
  const home = await mkdtemp(path.join(tmpdir(), "parallax-page-"));
  const root = path.join(home, "Embeddings");
  await mkdir(root);
  for (const [to, from] of Object.entries(options.files ?? {}))
    await cp(from, path.join(root, to), { recursive: true });
  const server = await startServer({ root, port: 0, folders: appFolders(path.join(home, "app")) });
  return {
    address: server.url,
    root,
    server,
    close: async () => {
      await server.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}
