/** The command line as a script sees it: exit codes, one JSON document, nothing but results on standard output. */
import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import os from "node:os";
import path from "node:path";
import { afterAll, describe, expect, test, vi } from "vitest";
import { readNpy } from "../../kernels/encode/npy.ts";
import { root } from "../../scripts/build.mjs";

const folder = mkdtempSync(path.join(os.tmpdir(), "parallax-cli-"));
const data = path.join(root, "notebooks/examples/data");
// Each command is a process or two; a loaded machine takes its time to start them.
vi.setConfig({ testTimeout: 90_000 });
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Result {
  code: number | null;
  stdout: string;
  stderr: string;
}

function start(...args: string[]): { child: ChildProcess; result: Promise<Result> } {
  const child = spawn(process.execPath, [path.join(root, "bin/parallax.mjs"), ...args], {
    cwd: folder,
    env: { ...process.env, PARALLAX_HOME: path.join(folder, "app"), NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const out: string[] = [];
  const err: string[] = [];
  child.stdout.on("data", (chunk: Buffer) => out.push(chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => err.push(chunk.toString()));
  const result = new Promise<Result>((resolve) =>
    child.on("close", (code) => resolve({ code, stdout: out.join(""), stderr: err.join("") })),
  );
  return { child, result };
}
const parallax = (...args: string[]): Promise<Result> => start(...args).result;

describe("results", () => {
  test("encode writes float32 [n, d] in the order of the rows", async () => {
    const out = path.join(folder, "vectors.npy");
    const { code, stdout } = await parallax(
      "encode",
      "--in",
      `${data}/texts.tsv`,
      "--column",
      "text",
      "--out",
      out,
      "--json",
    );
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      n: 300,
      dimensions: 384,
      dtype: "float32",
      encoder: { name: "all-MiniLM-L6-v2", pooling: "mean" },
      report: { truncated: [] },
    });
    const vectors = readNpy(out);
    expect(vectors.dims).toEqual([300, 384]);
    const norm = Math.hypot(...vectors.data.subarray(0, 384));
    expect(Math.abs(norm - 1)).toBeLessThan(1e-5);
  });

  test("eval prints a table for people and one JSON document for scripts, with the same score", async () => {
    const people = await parallax(
      "eval",
      "--encoder",
      "default-static",
      "--task",
      `${data}/pairs.tsv`,
      "--resamples",
      "500",
      "--seed",
      "3",
    );
    const script = await parallax(
      "eval",
      "--encoder",
      "default-static",
      "--task",
      `${data}/pairs.tsv`,
      "--resamples",
      "500",
      "--seed",
      "3",
      "--json",
    );
    const result = JSON.parse(script.stdout) as {
      score: number;
      n: number;
      seed: number;
      interval: { low: number; high: number };
    };
    expect([people.code, script.code]).toEqual([0, 0]);
    expect(result).toMatchObject({ n: 120, seed: 3, metric: "cosine_spearman" });
    expect(people.stdout).toContain((100 * result.score).toFixed(2));
    expect(people.stdout).toMatch(/n = 120 pairs, seed 3/);
  });

  test("compare reads prompts from a file of names or of lines", async () => {
    const named = path.join(folder, "prompts.json");
    writeFileSync(named, JSON.stringify({ none: "{text}", query: "query: {text}" }));
    const lines = path.join(folder, "prompts.txt");
    writeFileSync(lines, "{text}\nquery: {text}\n");
    const run = async (prompts: string) => {
      const { code, stdout } = await parallax(
        "compare",
        "--encoder",
        "default-static",
        "--task",
        `${data}/help-desk`,
        "--prompts",
        prompts,
        "--resamples",
        "300",
        "--json",
      );
      expect(code).toBe(0);
      return (JSON.parse(stdout) as { scores: { score: number; template: Record<string, string> }[] }).scores.map(
        ({ score, template }) => ({ score, template }),
      );
    };
    const scores = await run(named);
    expect(scores).toHaveLength(2);
    expect(await run(lines)).toEqual(scores);
  });

  test("precision states the losses with n, seed and interval, and takes forms of vectors", async () => {
    const { code, stdout, stderr } = await parallax(
      ...["precision", "default-static", "--task", `${data}/pairs.tsv`, "--vectors", "int8,int8-fixed,192,binary:96"],
      ...["--calibrate", "50", "--resamples", "200", "--json"],
    );
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(JSON.parse(stdout)).toMatchObject({
      n: 120,
      seed: 0,
      unit: "pairs",
      lines: [
        { name: "float32", delta: 0 },
        { name: "int8 vectors, calibrated", vectorBytes: 384 },
        { name: "int8 vectors, fixed ranges", vectorBytes: 384 },
        { name: "float32 vectors, 192 dimensions", vectorBytes: 768 },
        { name: "binary vectors, 96 dimensions", vectorBytes: 12 },
      ],
    });
    const wrong = await parallax("precision", "--task", `${data}/pairs.tsv`, "--vectors", "int4");
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringContaining('found "int4"') });
  });

  test("map writes one page that holds everything", async () => {
    const out = path.join(folder, "map.html");
    const { code, stdout } = await parallax(
      "map",
      "--encoder",
      "default-static",
      "--in",
      `${data}/texts.tsv`,
      "--column",
      "text",
      "--labels",
      "topic",
      "--out",
      out,
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/map of 300 texts.*seed 0\ntrustworthiness 0\.\d{3} \(k 15, n 300\)/);
    const page = readFileSync(out, "utf8");
    expect(page).not.toMatch(/(src|href)=["']?https?:/);
    expect(page).toContain("first aid");
  });

  test("runs says how to make one where there is none", async () => {
    const { code, stdout } = await parallax("runs", folder);
    expect([code, stdout]).toEqual([0, expect.stringContaining("No runs below")]);
  });

  test("doctor names runtime, provider, encoder and what is missing", async () => {
    const { stdout } = await parallax("doctor", "--json");
    const { checks } = JSON.parse(stdout) as { checks: { name: string; state: string; found: string; fix?: string }[] };
    const named = Object.fromEntries(checks.map((check) => [check.name, check]));
    expect(named["ONNX Runtime"]).toMatchObject({ state: "ok", found: expect.stringMatching(/cpu/) });
    expect(named["Default encoder"]).toMatchObject({ state: "ok" });
    for (const check of checks)
      if (check.state !== "ok" && check.name !== "Graphics driver") expect(check.fix).toBeTruthy();
  });
});

describe("exit codes", () => {
  test("2 for wrong usage, with the usage on standard error", async () => {
    for (const args of [["encod"], ["encode"], ["eval", "--task", "x", "--seed", "half"], ["train"]]) {
      const { code, stdout, stderr } = await parallax(...args);
      expect({ args, code, stdout }).toEqual({ args, code: 2, stdout: "" });
      expect(stderr).toMatch(/error: /);
    }
  });

  test("0 for every command's help", async () => {
    for (const command of ["run", "serve", "encode", "eval", "compare", "map", "train", "runs", "doctor", "gpu"]) {
      const { code, stdout } = await parallax(command, "--help");
      expect({ command, code }).toEqual({ command, code: 0 });
      expect(stdout).toContain(`Usage: parallax ${command}`);
    }
  });

  test("1 with what was found and what to do, and nothing written", async () => {
    const out = path.join(folder, "never.npy");
    const { code, stdout, stderr } = await parallax(
      "encode",
      "--in",
      `${data}/texts.tsv`,
      "--column",
      "sentence",
      "--out",
      out,
    );
    expect({ code, stdout, written: existsSync(out) }).toEqual({ code: 1, stdout: "", written: false });
    expect(stderr).toMatch(/"sentence"/);
    expect(stderr).toMatch(/topic/);
    expect(stderr).not.toMatch(/^\s+at /m);
  });

  test("130 when interrupted, and the work has stopped", async () => {
    const many = path.join(folder, "many.tsv");
    writeFileSync(
      many,
      `text\n${Array.from({ length: 20_000 }, (_, i) => `A sentence of some length, number ${i}, that takes its time.`).join("\n")}\n`,
    );
    const { child, result } = start("encode", "--in", many, "--column", "text", "--out", path.join(folder, "many.npy"));
    setTimeout(() => child.kill("SIGINT"), 4000);
    const { code, stdout } = await result;
    expect({ code, stdout, written: existsSync(path.join(folder, "many.npy")) }).toEqual({
      code: 130,
      stdout: "",
      written: false,
    });
  });
});

describe("run", () => {
  const notebook = (...sources: string[]): string => {
    const file = path.join(folder, `${Math.random().toString(36).slice(2)}.ipynb`);
    const cells = sources.map((source, i) => ({
      cell_type: "code",
      execution_count: null,
      id: `c${i}`,
      metadata: {},
      outputs: [],
      source,
    }));
    writeFileSync(file, JSON.stringify({ cells, metadata: {}, nbformat: 4, nbformat_minor: 5 }));
    return file;
  };

  test("prints what cells show and leaves the notebook alone", async () => {
    const file = notebook("const a = 20;\nconsole.log('hello');", "a + 22");
    const before = readFileSync(file);
    const { code, stdout } = await parallax("run", file);
    expect(code).toBe(0);
    expect(stdout).toMatch(/hello[\s\S]*42/);
    expect(readFileSync(file)).toEqual(before);
  });

  test("stops at the cell that failed, names its line, and writes what there is", async () => {
    const file = notebook("1 + 1", "const x: number = 2;\nthrow new Error('on purpose');", "3");
    const out = path.join(folder, "failed.ipynb");
    const { code, stdout, stderr } = await parallax("run", file, "--out", out);
    expect(code).toBe(1);
    expect(stdout).toMatch(/on purpose/);
    expect(stdout).toMatch(/line 2/);
    expect(stderr).toMatch(/1 of 3 cells done, 1 not; 1 were not started/);
    expect(JSON.parse(readFileSync(out, "utf8"))).toMatchObject({
      cells: [{ execution_count: 1 }, { outputs: [{ output_type: "error" }] }, { execution_count: null }],
    });
  });

  test("refuses what is no notebook and touches nothing", async () => {
    const file = path.join(folder, "broken.ipynb");
    writeFileSync(file, "this is not JSON");
    const { code, stderr } = await parallax("run", file, "--in-place");
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error /);
    expect(readFileSync(file, "utf8")).toBe("this is not JSON");
  });
});

test("serve says which port is taken and what to do", async () => {
  const blocker = createServer();
  await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", resolve));
  const { port } = blocker.address() as { port: number };
  const { code, stderr } = await parallax("serve", folder, "--no-open", "--port", String(port));
  blocker.close();
  expect(code).toBe(1);
  expect(stderr).toContain(String(port));
  expect(stderr).not.toMatch(/^\s+at /m);
});
