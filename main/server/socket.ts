/** A WebSocket as the Port that the host speaks through: JSON text both ways, a heartbeat, an orderly end. */
import type { RawData, WebSocket } from "ws";
import type { Port } from "../../kernels/protocol/host-methods.ts";

/** A page that does not answer for two of these is gone (a laptop that sleeps closes no connection). */
const HEARTBEAT_MS = 20_000;

export function socketPort(socket: WebSocket): Port {
  const listeners = new Set<(message: unknown) => void>();
  const closers = new Set<(reason: string) => void>();
  let isAlive = true;
  const heartbeat = setInterval(() => {
    if (!isAlive) socket.terminate();
    isAlive = false;
    if (socket.readyState === socket.OPEN) socket.ping();
  }, HEARTBEAT_MS);
  heartbeat.unref();
  socket.on("pong", () => {
    isAlive = true;
  });
  socket.on("message", (data: RawData, isBinary: boolean) => {
    isAlive = true;
    const message = isBinary ? undefined : parse(data.toString());
    for (const listener of listeners) listener(message);
  });
  socket.on("close", (code, reason) => {
    clearInterval(heartbeat);
    for (const closer of closers) closer(reason.length > 0 ? reason.toString() : `closed with code ${code}`);
  });
  // "close" follows; without a listener the error would end the process.
  socket.on("error", () => socket.terminate());
  return {
    send: (message) => {
      if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
    },
    onMessage: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onClose: (closer) => {
      closers.add(closer);
      return () => closers.delete(closer);
    },
    close: () => socket.close(1001, "Parallax was stopped"),
  };
}

/** Undefined, which the host answers as a bad message, when it is no JSON. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
