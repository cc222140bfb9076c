import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KernelProcess } from "../support/kernel-process.ts";

// The limits are far above what is usual (some 300 ms), for machines that do other things too.
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

let kernel: KernelProcess;
beforeAll(async () => {
  kernel = await KernelProcess.start();
  await kernel.run("const state = { kept: 1 }; let ticks = 0");
});
afterAll(() => kernel.stop());

/** Starts a cell, interrupts it once it says that it is there, and says how long the end took. */
async function interrupted(code: string): Promise<{ status: string; ms: number; stdout: string }> {
  const from = kernel.messages.length;
  const running = kernel.run(`console.log("there");\n${code}`);
  await kernel.until((m) => m.type === "stream" && m.text.includes("there"), from);
  await pause(60);
  const started = performance.now();
  kernel.interrupt();
  const { status, stdout } = await running;
  return { status, ms: performance.now() - started, stdout };
}

describe("an interrupt keeps the variables", () => {
  it.each([
    ["a loop", "while (true) {}"],
    ["a loop after an await", "await null; while (true) {}"],
    ["a loop after a timer", "await new Promise((r) => setTimeout(r, 20)); while (true) {}"],
    ["a loop in a timer", "setTimeout(() => { while (true) {} }, 20); await new Promise(() => {})"],
    ["a loop in a microtask", "queueMicrotask(() => { while (true) {} }); await new Promise(() => {})"],
    ["a loop in a tick", "process.nextTick(() => { while (true) {} }); await new Promise(() => {})"],
    ["a loop in a function of a class", "class Spin { run(): never { for (;;) {} } } new Spin().run()"],
    ["an await without end", "await new Promise(() => {})"],
    ["awaits without end", "for (;;) await new Promise((r) => setTimeout(r, 5))"],
    ["awaits of plain values without end", "for (;;) await null"],
    ["an await in a function", "async function deep() { await new Promise(() => {}) } await deep()"],
    [
      "an async iteration",
      "async function* values() { for (;;) { await new Promise((r) => setTimeout(r, 5)); yield 1 } } for await (const v of values()) v",
    ],
    ["a loop that prints", "for (;;) console.log('x'.repeat(1000))"],
    ["a regular expression that backtracks", "/^(a+)+$/.test('a'.repeat(40) + 'b')"],
    [
      "a sort",
      "new Array(1e6).fill(0).map(Math.random).sort(() => Math.random() - 0.5); for (;;) [2, 1].sort(() => 0)",
    ],
    ["a loop in a finally", "try { await new Promise(() => {}) } finally { for (;;) {} }"],
    ["a loop in a getter that is shown", "({ get [Symbol.for('parallax.display')]() { for (;;) {} } })"],
  ])("of %s", async (_, code) => {
    const { status, ms } = await interrupted(code);
    expect(status).toBe("interrupted");
    expect(ms).toBeLessThan(3000);
    expect(await kernel.text("state.kept += 1; [typeof state.kept, 1 + 1]")).toBe("[ 'number', 2 ]");
  });

  it("again and again", async () => {
    for (let i = 0; i < 6; i++)
      expect((await interrupted(i % 2 ? "await null; for (;;) {}" : "for (;;) {}")).status).toBe("interrupted");
    expect(await kernel.text("state.kept")).toBe("18");
  });
});

describe("an interrupt of an awaiting cell", () => {
  it("runs finally blocks, which may await, and never what follows", async () => {
    const { status, stdout } = await interrupted(`
      try {
        await new Promise((r) => setTimeout(r, 1000));
        console.log("continued");
      } finally {
        await new Promise((r) => setTimeout(r, 30));
        console.log("cleaned");
      }
      console.log("went on");`);
    expect(status).toBe("interrupted");
    expect(stdout).toBe("there\ncleaned\n");
    await pause(1000);
    expect(kernel.messages.some((m) => m.type === "stream" && m.text.includes("continued"))).toBe(false);
  });

  it("cuts off a cell that catches it and goes on", async () => {
    const { status, ms } = await interrupted(
      "for (;;) { try { await new Promise((r) => setTimeout(r, 10)); ticks += 1 } catch { ticks += 1000 } }",
    );
    expect(status).toBe("interrupted");
    expect(ms).toBeGreaterThan(400);
    expect(ms).toBeLessThan(3000);
    const before = await kernel.text("ticks");
    await pause(100);
    expect(await kernel.text("ticks")).toBe(before);
  });

  it("aborts the signal of the API's calls", async () => {
    await kernel.run(`
      import * as parallax from "parallax";
      let encoded: Promise<unknown> | undefined;`);
    const { status } = await interrupted(
      "await fetch('http://127.0.0.1:9', { signal: undefined }).catch(() => new Promise(() => {}))",
    );
    expect(status).toBe("interrupted");
  });

  it("stops what finished cells left running", async () => {
    await kernel.run(
      "ticks = 0; (async () => { for (;;) { await new Promise((r) => setTimeout(r, 5)); ticks += 1 } })(); 0",
    );
    await pause(50);
    expect(await kernel.text("ticks > 0")).toBe("true");
    kernel.interrupt();
    await pause(250);
    const stopped = await kernel.text("ticks");
    await pause(50);
    expect(await kernel.text("ticks")).toBe(stopped);
  });
});

it("attributes output to its cell after interrupts", async () => {
  await kernel.run("setTimeout(() => console.log('from the old cell'), 150)", "old");
  await interrupted("await null; for (;;) {}");
  const from = kernel.messages.length;
  await kernel.run("await new Promise((r) => setTimeout(r, 200)); console.log('from the new cell')", "new");
  const texts = kernel.messages.filter((m) => m.type === "stream" && (m.cellId === "old" || m.cellId === "new"));
  expect(texts.map((m) => (m.type === "stream" ? [m.cellId, m.text] : []))).toEqual([
    ["old", "from the old cell\n"],
    ["new", "from the new cell\n"],
  ]);
  expect(from).toBeGreaterThan(0);
});

it("is heard on the ordinary channel too while the cell awaits", async () => {
  const running = kernel.run("await new Promise(() => {})");
  await pause(50);
  kernel.send({ type: "interrupt" });
  expect((await running).status).toBe("interrupted");
});

it("does nothing to a kernel that is idle", async () => {
  kernel.interrupt();
  await pause(150);
  expect(await kernel.text("state.kept > 0")).toBe("true");
});
