import { fork } from "node:child_process";
import path from "node:path";
import { expect, it } from "vitest";
import { KERNEL_ENTRY, KERNEL_ENV, KERNEL_FORK } from "../../kernels/protocol/kernel-process.ts";
import { root } from "../../scripts/build.mjs";
import { KernelProcess } from "../support/kernel-process.ts";

const alive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

async function dies(pid: number, withinMs: number): Promise<boolean> {
  for (const end = Date.now() + withinMs; Date.now() < end; ) {
    if (!alive(pid)) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return !alive(pid);
}

it("dies of SIGKILL in the middle of a cell, which its parent sees", async () => {
  const kernel = await KernelProcess.start();
  const running = kernel.run("process.kill(process.pid, 'SIGKILL'); await new Promise(() => {})");
  await expect(running).rejects.toThrow('{"code":null,"signal":"SIGKILL"}');
  await kernel.stop();
});

it("dies of exhausted memory with a log that says so", async () => {
  const kernel = await KernelProcess.start({ execArgv: ["--max-old-space-size=64"] });
  await expect(kernel.run("const all: unknown[] = []; for (;;) all.push(new Array(1000).fill({}))")).rejects.toThrow(
    "heap",
  );
  expect(kernel.log).toContain("JavaScript heap out of memory");
  await kernel.stop();
});

it("ends after shutdown with code 0", async () => {
  const kernel = await KernelProcess.start();
  kernel.send({ type: "shutdown" });
  expect(await kernel.exited).toEqual({ code: 0, signal: null });
  await kernel.stop();
});

it("ends when its host dies, even in the middle of a loop", async () => {
  // A host of its own, so that it can be killed.
  const host = fork(
    path.join(root, "test/support/dying-host.mjs"),
    [path.join(root, KERNEL_ENTRY), JSON.stringify({ KERNEL_FORK, KERNEL_ENV })],
    {
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    },
  );
  const pid = await new Promise<number>((resolve) => host.on("message", (m) => resolve(m as number)));
  host.kill("SIGKILL");
  expect(await dies(pid, 15_000)).toBe(true);
}, 40_000);

it("runs without the interrupt pipe", async () => {
  const kernel = await KernelProcess.start({ env: { PARALLAX_INTERRUPT_FD: undefined } });
  expect(await kernel.text("'here'")).toBe("'here'");
  await kernel.stop();
});

it("says how much memory it uses", async () => {
  const kernel = await KernelProcess.start();
  const stats = await kernel.until((m) => m.type === "stats");
  expect(stats).toMatchObject({ sessions: 0, encoders: [] });
  expect((stats as { memoryBytes: number }).memoryBytes).toBeGreaterThan(2 ** 24);
  await kernel.stop();
});
