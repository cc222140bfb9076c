/** A graphics provider whose arithmetic is off: real sessions on the CPU that say "webgpu" and add `error` to each number. */
import { type Compute, inThreadCompute } from "../../kernels/graph/compute.ts";

export function wrongProvider(error: number): Compute & { created: string[] } {
  const real = inThreadCompute();
  const created: string[] = [];
  return {
    ...real,
    created,
    async createSession(source, options = {}) {
      const { provider = "cpu", ...rest } = options;
      created.push(provider);
      const session = await real.createSession(source, { ...rest, recordPlacement: provider !== "cpu" });
      if (provider === "cpu") return session;
      const run = session.run.bind(session);
      Object.assign(session.report, { provider, requested: provider });
      session.placement = async () => undefined;
      session.run = async (feeds, runOptions) => {
        const results = await run(feeds, runOptions);
        for (const { data } of Object.values(results))
          if (data instanceof Float32Array)
            for (let i = 0; i < data.length; i++) data[i] += i % 2 === 0 ? error : -error;
        return results;
      };
      return session;
    },
  };
}
