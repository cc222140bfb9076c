/** Electron's MessagePort as the Port that the host speaks through. */
import type { MessagePortMain } from "electron";
import type { Port } from "../../kernels/protocol/host-methods.ts";

export function messagePort(port: MessagePortMain): Port {
  const closers = new Set<(reason: string) => void>();
  let isOpen = true;
  port.on("close", () => {
    isOpen = false;
    for (const closer of closers) closer("the window's port was closed");
  });
  port.start();
  return {
    send: (message) => {
      if (isOpen) port.postMessage(message);
    },
    onMessage: (listener) => {
      const onMessage = (event: { data: unknown }) => listener(event.data);
      port.on("message", onMessage);
      return () => port.off("message", onMessage);
    },
    onClose: (closer) => {
      closers.add(closer);
      return () => closers.delete(closer);
    },
    close: () => port.close(),
  };
}
