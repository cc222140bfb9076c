import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { KernelProcess } from "../support/kernel-process.ts";

let kernel: KernelProcess;
beforeAll(async () => {
  kernel = await KernelProcess.start();
});
afterAll(() => kernel.stop());

describe("what a cell prints", () => {
  it("comes in order with displays and the result", async () => {
    const { messages } = await kernel.run(`
      import { display } from "parallax";
      console.log("one");
      console.error("two");
      display("three");
      await null;
      process.stdout.write("four");
      console.table([{ a: 1 }]);
      "five"`);
    const order = messages.map((m) => (m.type === "stream" ? `${m.name}: ${m.text.slice(0, 4)}` : m.type));
    expect(order.filter((m) => !m.startsWith("busy"))).toEqual([
      "stdout: one\n",
      "stderr: two\n",
      "display",
      "stdout: four",
      "stdout: ┌───",
      "result",
      "done",
      "idle",
    ]);
  });

  it("comes while the cell runs, also before a computation that blocks", async () => {
    const from = kernel.messages.length;
    const running = kernel.run("console.log('before'); const end = Date.now() + 600; while (Date.now() < end);");
    await kernel.until((m) => m.type === "stream", from);
    expect(kernel.messages.slice(from).some((m) => m.type === "done")).toBe(false);
    expect((await running).stdout).toBe("before\n");
  });

  it("stays with its cell when that cell is over and another one runs", async () => {
    await kernel.run(
      "setTimeout(() => console.log('late'), 80); (async () => { await null; setTimeout(() => console.log('later'), 90) })(); 0",
      "early",
    );
    await kernel.run("await new Promise((r) => setTimeout(r, 200)); console.log('mine')", "second");
    const of = (cellId: string): string =>
      kernel.messages.flatMap((m) => (m.type === "stream" && m.cellId === cellId ? [m.text] : [])).join("");
    expect([of("early"), of("second")]).toEqual(["late\nlater\n", "mine\n"]);
  });

  it("arrives in few messages and is cut when it is a flood", async () => {
    const { messages, stdout, stderr } = await kernel.run(
      "for (let i = 0; i < 1e5; i++) console.log('line', i, 'of a flood')",
    );
    const streams = messages.filter((m) => m.type === "stream");
    expect(streams.length).toBeLessThan(3000);
    expect(stdout.startsWith("line 0 of a flood\nline 1 of a flood\n")).toBe(true);
    expect(stdout.length).toBe(2_000_000);
    expect(stderr).toBe("\n[The output is cut here: this run of the cell has printed 2,000,000 characters.]\n");
    expect(await kernel.text("'still here'")).toBe("'still here'");
  });

  it("is whole when it is printed from many awaits", async () => {
    const { stdout } = await kernel.run("for (let i = 0; i < 2000; i++) { await null; console.log(i) }");
    expect(stdout).toBe(Array.from({ length: 2000 }, (_, i) => `${i}\n`).join(""));
  });

  it("ends with displays when there are too many", async () => {
    const { displays, stderr } = await kernel.run(
      "import { display } from 'parallax'; for (let i = 0; i < 1500; i++) display(i)",
    );
    expect(displays).toHaveLength(1000);
    expect(stderr).toContain("no more are shown");
  });

  it("takes bytes and asks for a callback's turn", async () => {
    const { stdout } = await kernel.run(
      "await new Promise<void>((done) => process.stdout.write(Buffer.from('é'), () => done())); process.stdout.write('!')",
    );
    expect(stdout).toBe("é!");
  });
});
