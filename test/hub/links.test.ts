/** Hard links in and out of model folders: allowed to read, never written through, and nobody's removal takes another's file. */
import { linkSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, test } from "vitest";
import { openEncoder } from "../../kernels/encode/open-encoder.ts";
import { inThreadCompute } from "../../kernels/graph/compute.ts";
import { findPart } from "../../kernels/hub/part.ts";
import { removeStored } from "../../kernels/hub/store.ts";
import { folderContent } from "../support/hub-server.ts";
import { both, givesWeights, WEIGHTS } from "./command.ts";
import { type HubPlace, hubPlace, ID } from "./workplace.ts";

async function vector(folder: string): Promise<Float32Array> {
  const compute = inThreadCompute();
  const encoder = await openEncoder(folder, { compute });
  const { data } = await encoder.encode(["the dog reads a book"]);
  await encoder.dispose();
  await compute.dispose();
  return data;
}

/** The same files under second names. */
function linked(from: string, to: string): string {
  for (const entry of readdirSync(from, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const file = path.join(entry.parentPath, entry.name);
    const target = path.join(to, path.relative(from, file));
    mkdirSync(path.dirname(target), { recursive: true });
    linkSync(file, target);
  }
  return to;
}

describe("hard links", () => {
  test("make a model folder like any other, and removing the first one leaves them and the built graph whole", async () => {
    const place = await hubPlace();
    const { folder } = await place.download();
    const mine = linked(folder, path.join(place.root, "mine"));
    const expected = await vector(place.model);
    expect(await vector(mine)).toEqual(expected);
    expect(await vector(folder)).toEqual(expected);
    // The two names and the cache's own link, where the weights are used as they lie.
    expect(statSync(path.join(mine, WEIGHTS)).nlink).toBeGreaterThanOrEqual(2);
    removeStored(ID);
    const { "parallax.json": record, ...files } = folderContent(mine);
    expect([record === undefined, files]).toEqual([false, folderContent(place.model)]);
    expect(await vector(mine)).toEqual(expected);
    rmSync(mine, { recursive: true });
    expect(await vector(place.model)).toEqual(expected);
  });

  test("in the store are replaced by a download that mends it; the other file stays as it is", async () => {
    const place = await hubPlace();
    const { folder } = await place.download();
    const precious = path.join(place.root, "precious.txt");
    writeFileSync(precious, "somebody's own");
    rmSync(path.join(folder, WEIGHTS));
    linkSync(precious, path.join(folder, WEIGHTS));
    await place.download();
    const [stored, model] = both(place);
    expect([stored, readFileSync(precious, "utf8"), statSync(precious).nlink]).toEqual([model, "somebody's own", 1]);
  });

  test.each(process.platform === "win32" ? ["hard"] : ["hard", "symbolic"])(
    "that are %s, in place of an unfinished file are not written through",
    async (kind) => {
      const place: HubPlace = await hubPlace();
      place.server.trouble = (seen) => (givesWeights(seen) ? { status: 400 } : undefined);
      await place.refusal({ http: place.http({ tries: 1 }) });
      place.server.trouble = undefined;
      const precious = path.join(place.root, "precious.txt");
      writeFileSync(precious, "somebody's own");
      const part = path.join(findPart(ID)!.folder, `${WEIGHTS}.part`);
      rmSync(part, { force: true });
      if (kind === "hard") linkSync(precious, part);
      else symlinkSync(precious, part);
      await place.download();
      const [stored, model] = both(place);
      expect([stored, readFileSync(precious, "utf8")]).toEqual([model, "somebody's own"]);
    },
  );
});
