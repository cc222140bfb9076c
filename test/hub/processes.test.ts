/** Downloads as processes: several at once, killed, stopped by Ctrl+C, and gone on with. */
import { existsSync, readdirSync } from "node:fs";
import { describe, expect, test, vi } from "vitest";
import { findPart } from "../../kernels/hub/part.ts";
import { modelFolder, storeFolder } from "../../kernels/hub/store.ts";
import { both, givesWeights, parallax, partOf, ranges, start, until } from "./command.ts";
import { hubPlace, ID } from "./workplace.ts";

const DOWNLOAD = ["encoders", "download", ID];
vi.setConfig({ testTimeout: 120_000 });

describe("two processes that want the same encoder", () => {
  test("share one download: one brings it, the other says that it waits, both have it whole", async () => {
    const place = await hubPlace();
    let goOn: (value?: unknown) => void = () => undefined;
    const after = new Promise((resolve) => {
      goOn = resolve;
    });
    place.server.trouble = (seen) => (givesWeights(seen) ? { after } : undefined);
    const first = start(place, DOWNLOAD);
    const { pid } = await partOf(0);
    const second = start(place, [...DOWNLOAD, "--json"]);
    await until("the second to wait", () => second.heard().includes("waiting for that"));
    goOn();
    const [a, b] = await Promise.all([first.said, second.said]);
    expect([a.code, b.code]).toEqual([0, 0]);
    expect(b.stderr).toContain(`Process ${pid} is downloading it; waiting for that.`);
    expect(JSON.parse(b.stdout)).toMatchObject({ id: ID, revision: place.server.revision(ID) });
    expect(ranges(place)).toEqual([undefined]);
    const [stored, model] = both(place);
    expect(stored).toEqual(model);
    expect(readdirSync(modelFolder(ID))).toEqual([place.server.revision(ID)]);
  });

  test("started at the same instant end the same way, three of them", async () => {
    const place = await hubPlace();
    const said = await Promise.all([1, 2, 3].map(() => parallax(place, DOWNLOAD)));
    expect(said.map(({ code }) => code)).toEqual([0, 0, 0]);
    expect(ranges(place)).toEqual([undefined]);
    const [stored, model] = both(place);
    expect(stored).toEqual(model);
  });

  test("go on with each other's part: the waiting one takes over from one that is killed", async () => {
    const place = await hubPlace();
    place.server.trouble = (seen, n) => (givesWeights(seen) && n === 1 ? { stallAfter: 60_000 } : undefined);
    const first = start(place, DOWNLOAD);
    const { pid } = await partOf(60_000);
    const second = start(place, DOWNLOAD);
    await until("the second to wait", () => second.heard().includes("waiting for that"));
    process.kill(pid, "SIGKILL");
    const [a, b] = await Promise.all([first.said, second.said]);
    expect([a.code, b.code]).toEqual([1, 0]);
    expect(a.stderr).toContain("signal SIGKILL");
    expect(ranges(place)).toEqual([undefined, "bytes=60000-"]);
    const [stored, model] = both(place);
    expect(stored).toEqual(model);
  });

  test("and do not find it leave nothing behind, and do not get into each other's way", async () => {
    const place = await hubPlace();
    const said = await Promise.all([1, 2].map(() => parallax(place, ["encoders", "download", "tiny/nobody"])));
    expect(said.map(({ code }) => code)).toEqual([1, 1]);
    for (const { stderr } of said) expect(stderr).toContain("[hub.not-found]");
    expect(readdirSync(storeFolder())).toEqual([]);
  });
});

describe("a download", () => {
  test("cannot be removed while it runs; killed with all its processes, it goes on where it was", async () => {
    const place = await hubPlace();
    place.server.trouble = (seen, n) => (givesWeights(seen) && n === 1 ? { stallAfter: 30_000 } : undefined);
    const { child, said } = start(place, DOWNLOAD);
    const { pid, folder } = await partOf(30_000);
    const busy = await parallax(place, ["encoders", "remove", ID]);
    expect([busy.code, busy.stderr]).toEqual([1, expect.stringContaining(`Process ${pid} is downloading ${ID} now.`)]);
    process.kill(pid, "SIGKILL");
    child.kill("SIGKILL");
    await said;
    expect(findPart(ID)).toMatchObject({ pid: null, state: { state: "downloading" } });
    expect(existsSync(folder.replace(/\.part$/, ""))).toBe(false);
    expect((await parallax(place, DOWNLOAD)).code).toBe(0);
    expect(ranges(place)).toEqual([undefined, "bytes=30000-"]);
    const [stored, model] = both(place);
    expect(stored).toEqual(model);
  });

  test.skipIf(process.platform === "win32")(
    "stopped by Ctrl+C says what is kept and exits with 130; the next run goes on, with share, rate and time left",
    async () => {
      const place = await hubPlace();
      place.server.trouble = (seen, n) => (givesWeights(seen) && n === 1 ? { stallAfter: 40_000 } : undefined);
      const { child, said } = start(place, DOWNLOAD);
      await partOf(40_000);
      const stopped = performance.now();
      child.kill("SIGINT");
      const { code, stdout, stderr } = await said;
      expect([code, stdout]).toEqual([130, ""]);
      expect(performance.now() - stopped).toBeLessThan(5000);
      expect(stderr).toMatch(/\d+ kB of \d+ kB are kept; the same command goes on there\./);
      expect(findPart(ID)).toMatchObject({ pid: null, state: { state: "stopped" } });
      place.server.trouble = (seen) => (givesWeights(seen) ? { slowMs: 100, pieceBytes: 2500 } : undefined);
      const again = await parallax(place, DOWNLOAD);
      expect(again.code).toBe(0);
      expect(again.stdout).toContain(`${ID}: 7 files`);
      expect(again.stderr).toMatch(
        /Downloading tiny\/bert-of-tests [█░]{20} \d+ % · \d+ kB of \d+ kB · [\d.]+ kB\/s · [\d.]+ m?s left/,
      );
      expect(ranges(place)).toEqual([undefined, "bytes=40000-"]);
      const [stored, model] = both(place);
      expect(stored).toEqual(model);
    },
  );
});
