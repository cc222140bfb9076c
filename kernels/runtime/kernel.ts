/** The kernel's main loop: requests in, messages out. */
export function startKernel(): void {
  process.send?.({ type: "ready", version: 1, pid: process.pid, node: process.version });
  process.on("message", () => undefined);
}
