import { ensureBuilt } from "../../scripts/build.mjs";

/** Tests of these folders look at the page; the others do not wait for it to be built. */
const PAGE_TESTS = /e2e|renderer|server|host/;

/** Tests start real processes, so dist/ must match the sources. */
export async function setup(): Promise<void> {
  const named = process.argv.slice(2).filter((word) => word.startsWith("test/"));
  const needsPage = named.length === 0 || named.some((word) => PAGE_TESTS.test(word));
  await ensureBuilt(
    (line: string) => console.error(line),
    needsPage ? ["node", "wasm", "types", "page"] : ["node", "wasm"],
  );
}
