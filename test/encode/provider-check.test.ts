import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, beforeEach, describe, expect, it } from "vitest";
import { defaultSpec } from "../../kernels/encode/default-encoder.ts";
import { measuredSpeeds, measureEncoder } from "../../kernels/encode/measure-encoder.ts";
import { openEncoder, openSpec } from "../../kernels/encode/open-encoder.ts";
import { providerChecks } from "../../kernels/encode/provider-check.ts";
import { REFERENCE_TEXTS } from "../../kernels/encode/reference-texts.ts";
import { inThreadCompute } from "../../kernels/graph/compute.ts";
import { ParallaxError } from "../../kernels/protocol/errors.ts";
import type { Progress } from "../../kernels/protocol/progress.ts";
import { writeTinyFolder } from "../support/tiny-folder.ts";
import { wrongProvider } from "../support/wrong-provider.ts";

const home = mkdtempSync(path.join(tmpdir(), "parallax-check-"));
const model = path.join(home, "tiny");
writeTinyFolder(model, "bert");
const checks = path.join(home, "data/provider-checks");

beforeEach(() => {
  process.env.PARALLAX_HOME = home;
});
afterEach(() => {
  delete process.env.PARALLAX_PROVIDER;
  for (const name of ["data", "cache"]) rmSync(path.join(home, name), { recursive: true, force: true });
});
afterAll(() => {
  delete process.env.PARALLAX_HOME;
  rmSync(home, { recursive: true, force: true });
});

const failure = async (work: Promise<unknown>): Promise<ParallaxError> => {
  const error = await work.then(
    () => new Error("nothing thrown"),
    (thrown: unknown) => thrown,
  );
  expect(error).toBeInstanceOf(ParallaxError);
  return error as ParallaxError;
};

describe("a provider that is used for the first time", () => {
  it("is tested against the CPU, and the test is shown and remembered", async () => {
    const compute = wrongProvider(1e-5);
    const encoder = await openEncoder(model, { provider: "webgpu", compute });
    const { worstCosine, texts, checkedAt } = encoder.identity.selfTest ?? {};
    expect([encoder.identity.provider, texts, encoder.provider.check?.passed]).toEqual(["webgpu", 64, true]);
    expect(worstCosine).toBeGreaterThan(0.9999);
    expect(worstCosine).toBeLessThan(1);
    expect(compute.created).toEqual(["webgpu", "cpu", "webgpu"]);
    await encoder.dispose();

    const again = await openEncoder(model, { provider: "webgpu", compute });
    expect(again.identity.selfTest?.checkedAt).toBe(checkedAt);
    expect(compute.created.length).toBe(4);
    expect(providerChecks().map(({ provider, encoder: name, passed }) => ({ provider, name, passed }))).toEqual([
      { provider: "webgpu", name: "tiny", passed: true },
    ]);
    await compute.dispose();
  });

  it("is refused with the figure when its numbers are off, now and the next time", async () => {
    const compute = wrongProvider(0.01);
    const first = await failure(openEncoder(model, { provider: "webgpu", compute }));
    expect([first.code, first.kind]).toEqual(["provider.wrong-numbers", "environment"]);
    expect(first.message).toMatch(
      /^WebGPU gives other vectors than the CPU for tiny: the worst cosine over 64 texts is 0\.99\d{4}, at least 0\.9999 is asked for\. It was refused, and nothing was encoded\.$/,
    );
    expect(first.hint).toContain('provider "cpu"');
    expect((await compute.counts()).sessions).toBe(0);
    const second = await failure(openEncoder(model, { provider: "webgpu", compute }));
    expect([second.message, compute.created]).toEqual([first.message, ["webgpu", "cpu"]]);
    // The CPU is not affected, and another encoder is tested by itself.
    await (await openEncoder(model, { compute })).dispose();
    await compute.dispose();
  });

  it("is refused when its numbers are not finite", async () => {
    const compute = wrongProvider(Number.NaN);
    const error = await failure(openEncoder(model, { provider: "webgpu", compute }));
    expect([error.code, error.kind]).toEqual(["provider.wrong-numbers", "environment"]);
    await compute.dispose();
  });

  it("is tested again for another graph, and when what was remembered is damaged", async () => {
    const compute = wrongProvider(0);
    await (await openEncoder(model, { provider: "webgpu", compute })).dispose();
    await (await openEncoder(model, { provider: "webgpu", compute, pooling: "cls" })).dispose();
    const files = readdirSync(checks);
    expect([files.length, compute.created.length]).toEqual([2, 6]);
    for (const name of files) writeFileSync(path.join(checks, name), "{");
    await (await openEncoder(model, { provider: "webgpu", compute })).dispose();
    expect(compute.created.length).toBe(9);
    await compute.dispose();
  });
});

describe("the process of the self-test", () => {
  afterEach(() => {
    delete process.env.NODE_OPTIONS;
  });

  it("may be aborted by a driver: an error says so, and nothing is remembered", async () => {
    const abort = path.join(home, "abort.cjs");
    writeFileSync(abort, 'process.on("message", () => process.abort());\n');
    process.env.NODE_OPTIONS = `--require ${abort}`;
    const error = await failure(openEncoder(model, { provider: "webgpu" }));
    expect([error.code, error.kind]).toEqual(["provider.crashed", "environment"]);
    expect(error.message).toContain("WebGPU ended its process (");
    expect(providerChecks()).toEqual([]);
  });

  it("ends when the work is stopped", async () => {
    const hang = path.join(home, "hang.cjs");
    writeFileSync(hang, 'process.on("message", () => { for (;;); });\n');
    process.env.NODE_OPTIONS = `--require ${hang}`;
    const error = await failure(openEncoder(model, { provider: "webgpu", signal: AbortSignal.timeout(1500) }));
    expect([error.kind, providerChecks()]).toEqual(["cancelled", []]);
  });
});

describe("the choice of a provider", () => {
  it("comes from the setting where nothing else is said, and a wrong setting is told", async () => {
    const compute = wrongProvider(0);
    process.env.PARALLAX_PROVIDER = "webgpu";
    const encoder = await openEncoder(model, { compute });
    expect(encoder.identity.provider).toBe("webgpu");
    await encoder.dispose();
    expect((await openEncoder(model, { compute, provider: "cpu" })).identity.provider).toBe("cpu");
    process.env.PARALLAX_PROVIDER = "gpu";
    expect((await failure(openEncoder(model, { compute }))).code).toBe("session.no-provider");
    await compute.dispose();
  });

  it("is refused for a table, which runs on the CPU only; a setting leaves tables alone", async () => {
    const spec = await defaultSpec("default-static");
    expect((await failure(openSpec(spec, { provider: "webgpu" }))).code).toBe("encoder.no-graph");
    process.env.PARALLAX_PROVIDER = "webgpu";
    const encoder = await openSpec(spec);
    expect(encoder.provider).toEqual({ name: "cpu", threads: 1, placement: null, fallback: null, check: null });
    await encoder.dispose();
  });
});

describe("measuring an encoder", () => {
  it("gives texts and tokens a second by threads, says what failed, and keeps the figures", async () => {
    const compute = inThreadCompute();
    const encoder = await openEncoder(model, { compute });
    const seen: Progress[] = [];
    const { rows, best, failed } = await measureEncoder(encoder, {
      seconds: 0.6,
      threads: [1, 2],
      providers: ["cpu", process.platform === "linux" ? "coreml" : "cuda"],
      compute,
      onProgress: (progress) => seen.push(progress),
    });
    expect(rows.map(({ provider, threads, precision }) => [provider, threads, precision])).toEqual([
      ["cpu", 1, "float32"],
      ["cpu", 2, "float32"],
    ]);
    for (const row of rows) {
      expect(row.texts % 64 === 0 || row.texts % 8 === 0).toBe(true);
      expect(row.textsPerSecond).toBeCloseTo(row.texts / row.seconds, 6);
      expect(row.tokensPerSecond).toBeGreaterThan(row.textsPerSecond * 3);
    }
    expect(best?.textsPerSecond).toBe(Math.max(...rows.map((row) => row.textsPerSecond)));
    expect(failed.map(({ error }) => error.code)).toEqual(["session.no-provider"]);
    expect(seen.every(({ done, total }, i) => done <= total && done >= (seen[i - 1]?.done ?? 0))).toBe(true);
    expect(measuredSpeeds()).toMatchObject([
      { name: "tiny", specSha256: encoder.identity.specSha256, rows: [{ threads: 1 }, { threads: 2 }] },
    ]);
    // The encoder that was given still works.
    expect((await encoder.encode(["a dog"])).n).toBe(1);
    await compute.dispose();
  });

  it("stops when it is asked to", async () => {
    const compute = inThreadCompute();
    const encoder = await openEncoder(model, { compute });
    const controller = new AbortController();
    const started = Date.now();
    const error = await failure(
      measureEncoder(encoder, {
        seconds: 60,
        compute,
        signal: controller.signal,
        onProgress: ({ rate }) => rate !== undefined && controller.abort(),
      }),
    );
    expect(error.kind).toBe("cancelled");
    expect(Date.now() - started).toBeLessThan(10_000);
    await compute.dispose();
  });

  it("uses 64 texts that differ, from one word to a paragraph", () => {
    const lengths = REFERENCE_TEXTS.map((text) => text.length);
    expect([REFERENCE_TEXTS.length, new Set(REFERENCE_TEXTS).size]).toEqual([64, 64]);
    expect([Math.min(...lengths) < 5, Math.max(...lengths) > 250]).toEqual([true, true]);
  });
});
