// Starts a kernel with a cell that loops and waits to be killed. Plain JavaScript: it is forked by a test.
import { fork } from "node:child_process";

const [entry, given] = process.argv.slice(2);
const { KERNEL_FORK, KERNEL_ENV } = JSON.parse(given);
const kernel = fork(entry, [], { ...KERNEL_FORK, env: { ...process.env, ...KERNEL_ENV } });
kernel.on("message", (message) => {
  if (message.type === "ready")
    kernel.send({ type: "execute", requestId: "1", cellId: "a", code: "console.log(1); for (;;) {}" });
  if (message.type === "stream") process.send(kernel.pid);
});
