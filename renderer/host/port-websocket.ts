/** The carrier under `parallax serve`: one WebSocket of the page's own origin, JSON text both ways. */
import { ParallaxError } from "../../kernels/protocol/errors.ts";
import type { Port } from "../../kernels/protocol/host-methods.ts";

/** Where the server listens for the page. The token is the one in the page's own address. */
export function socketAddress(location: Location): string {
  const scheme = location.protocol === "https:" ? "wss:" : "ws:";
  const token = new URLSearchParams(location.search).get("token");
  return `${scheme}//${location.host}/socket${token === null ? "" : `?token=${encodeURIComponent(token)}`}`;
}

export function connectWebSocket(address: string): Promise<Port> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(address);
    const messages = new Set<(message: unknown) => void>();
    const closes = new Set<(reason: string) => void>();
    let opened = false;
    const fail = (reason: string) => {
      if (!opened)
        reject(
          new ParallaxError("host.unreachable", `The Parallax server did not answer: ${reason}.`, {
            kind: "environment",
            hint: "Check that `parallax serve` still runs, and that the address holds its token.",
          }),
        );
      for (const listener of closes) listener(reason);
      closes.clear();
    };
    socket.onopen = () => {
      opened = true;
      resolve({
        send: (message) => socket.send(JSON.stringify(message)),
        onMessage: (listener) => {
          messages.add(listener);
          return () => messages.delete(listener);
        },
        onClose: (listener) => {
          closes.add(listener);
          return () => closes.delete(listener);
        },
        close: () => socket.close(1000),
      });
    };
    socket.onmessage = (event) => {
      let message: unknown;
      try {
        message = JSON.parse(String(event.data));
      } catch (cause) {
        console.error("The host sent a message that is not JSON.", cause);
        return;
      }
      for (const listener of messages) listener(message);
    };
    socket.onclose = (event) => fail(event.reason === "" ? `closed with code ${event.code}` : event.reason);
  });
}
