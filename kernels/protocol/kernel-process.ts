/**
 * How a kernel process is started, and how it is interrupted while its main thread is busy. Read by the host, which
 * forks it, and by the kernel itself. The reasons stand in kernels/kernel.entry.ts.
 */

/** Path of the built entry, below the package's root. */
export const KERNEL_ENTRY = "dist/kernels/kernel.entry.mjs";

/**
 * `child_process.fork(entry, [], { ...KERNEL_FORK, cwd, env: { ...process.env, ...KERNEL_ENV } })`.
 * What the process itself writes to stdout and stderr (native libraries, crashes) is a log: keep its last lines.
 */
export const KERNEL_FORK = {
  serialization: "advanced",
  execArgv: ["--no-force-async-hooks-checks"],
  /** stdin, stdout, stderr, IPC, and the pipe that carries interrupts. */
  stdio: ["ignore", "pipe", "pipe", "ipc", "pipe"],
} satisfies { serialization: "advanced"; execArgv: string[]; stdio: ("ignore" | "pipe" | "ipc")[] };

/** Index of the interrupt pipe in the child's `stdio`. */
export const INTERRUPT_FD = 4;

export const KERNEL_ENV = { PARALLAX_INTERRUPT_FD: String(INTERRUPT_FD) };

/** Written to the interrupt pipe, once per interrupt. */
export const INTERRUPT_LINE = "interrupt\n";
