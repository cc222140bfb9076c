import { ensureBuilt } from "../../scripts/build.mjs";

/** Tests start real processes, so dist/ must match the sources. */
export async function setup(): Promise<void> {
  await ensureBuilt((line: string) => console.error(line));
}
