/** `parallax serve`: the page in a browser, until Ctrl+C. */
import { EXIT } from "../../kernels/protocol/cli-messages.ts";
import { startServer } from "../server/http.ts";

export async function runServe(options: { root: string; port: number; open: boolean }): Promise<number> {
  const server = await startServer({ root: options.root, port: options.port });
  process.stdout.write(`Parallax is at ${server.url}\n`);
  process.stderr.write(
    `Notebooks: ${options.root}\nThe address holds this session's key: whoever has it can run code as you. Ctrl+C stops.\n`,
  );
  if (options.open) {
    const { default: open } = await import("open");
    await open(server.url).catch(() =>
      process.stderr.write("No browser could be opened; open the address yourself.\n"),
    );
  }
  await new Promise<void>((resolve) => {
    process.once("SIGINT", resolve);
    process.once("SIGTERM", resolve);
  });
  process.stderr.write("\nSaving backups and stopping kernels…\n");
  await server.close();
  return EXIT.done;
}
