import { expect, it, vi } from "vitest";
import { HOST_PROTOCOL_VERSION, type Port } from "../../../kernels/protocol/host-methods.ts";
import { HostClient } from "../../../renderer/host/client.ts";

function fakePort() {
  const sent: unknown[] = [];
  let receive: (message: unknown) => void = () => undefined;
  let closed: (reason: string) => void = () => undefined;
  const port: Port = {
    send: (message) => {
      sent.push(message);
      const call = message as { id?: number; method?: string };
      if (call.method === "app.hello")
        receive({
          id: call.id,
          result: {
            version: HOST_PROTOCOL_VERSION,
            product: "x",
            shell: "browser",
            platform: "linux",
            root: "/r",
            cores: 2,
            memoryBytes: 1,
            settings: { theme: "system", density: "compact", threads: 1 },
          },
        });
    },
    onMessage: (listener) => {
      receive = listener;
      return () => undefined;
    },
    onClose: (listener) => {
      closed = listener;
      return () => undefined;
    },
    close: () => undefined,
  };
  return { port, sent, answer: (message: unknown) => receive(message), drop: (reason: string) => closed(reason) };
}

it("waits for the first connection, then calls", async () => {
  const end = fakePort();
  const client = new HostClient(async () => end.port);
  const answer = client.call("settings.set", { theme: "dark" });
  await client.start();
  const call = end.sent.at(-1) as { id: number };
  expect(call).toEqual({ id: 2, method: "settings.set", params: { theme: "dark" } });
  end.answer({ id: call.id, result: { theme: "dark", density: "compact", threads: 1 } });
  expect(await answer).toEqual({ theme: "dark", density: "compact", threads: 1 });
});

it("revives the host's errors and refuses answers of a wrong form", async () => {
  const end = fakePort();
  const client = new HostClient(async () => end.port);
  await client.start();
  const failed = client.call("notebook.open", { path: "x" });
  end.answer({ id: 2, error: { code: "notebook.not-found", kind: "user", message: "No x.", hint: "Look." } });
  await expect(failed).rejects.toMatchObject({ code: "notebook.not-found", hint: "Look." });
  const strange = client.call("settings.set", {});
  end.answer({ id: 3, result: { theme: "pink" } });
  await expect(strange).rejects.toMatchObject({ code: "host.malformed", kind: "bug" });
});

it("cancels by signal and by time, and tells the host", async () => {
  const end = fakePort();
  const client = new HostClient(async () => end.port);
  await client.start();
  const abort = new AbortController();
  const one = client.call("runs.list", {}, { signal: abort.signal });
  abort.abort();
  await expect(one).rejects.toMatchObject({ kind: "cancelled" });
  const two = client.call("runs.list", {}, { timeoutMs: 5 });
  await expect(two).rejects.toMatchObject({ code: "host.timeout" });
  expect(end.sent.slice(-3)).toEqual([{ cancel: 2 }, { id: 3, method: "runs.list", params: {} }, { cancel: 3 }]);
});

it("rejects what was under way when the connection goes, and connects again", async () => {
  const ends = [fakePort(), fakePort()];
  let n = 0;
  const client = new HostClient(async () => ends[n++]?.port as Port, { retryMs: 1 });
  await client.start();
  const pending = client.call("runs.list", {});
  ends[0]?.drop("gone");
  await expect(pending).rejects.toMatchObject({ code: "host.connection-lost" });
  expect(client.state).toEqual({ state: "lost", reason: "gone", attempt: 1, retryInMs: 1 });
  await vi.waitFor(() => expect(client.state.state).toBe("open"));
});

it("drops events of a wrong form, and keeps the right ones", async () => {
  const error = vi.spyOn(console, "error").mockImplementation(() => undefined);
  const end = fakePort();
  const client = new HostClient(async () => end.port);
  await client.start();
  const got: unknown[] = [];
  client.on("settings.changed", (settings) => got.push(settings));
  end.answer({ event: "settings.changed", payload: { theme: 3 } });
  end.answer({ event: "settings.changed", payload: { theme: "light", density: "compact", threads: 2 } });
  expect(got).toEqual([{ theme: "light", density: "compact", threads: 2 }]);
  expect(error).toHaveBeenCalledOnce();
  error.mockRestore();
});
