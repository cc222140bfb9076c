import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["test/**/*.test.ts"],
    exclude: [
      "test/bench/**",
      "node_modules/**",
      // Said by `npm test` when no Chromium is there; what needs no page in these folders still runs.
      ...(process.env.PARALLAX_NO_CHROMIUM === "1" ? ["test/e2e/{notebook,outputs,runs}*.test.ts"] : []),
    ],
    globalSetup: ["test/support/build.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Two cores are what we plan for: sessions have threads of their own.
    maxWorkers: 2,
    pool: "forks",
  },
});
