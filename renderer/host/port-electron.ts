/** The carrier in the desktop window: one MessagePort that the preload script hands over, once per request. */
import type { Port } from "../../kernels/protocol/host-methods.ts";

/** What the preload script puts on `window`; absent in a browser. */
interface DesktopBridge {
  /** Asks for a port; it arrives as a window message {parallax: "port"} with the port transferred. */
  requestPort(): void;
  /** Absolute path of a file or folder that was dropped; "" when it is not on disk. */
  pathOfFile(file: File): string;
}

function bridge(): DesktopBridge | undefined {
  return (window as { parallaxDesktop?: DesktopBridge }).parallaxDesktop;
}

export function isDesktop(): boolean {
  return bridge() !== undefined;
}

/** Where a dropped file or folder is; null in a browser, which does not tell. */
export function pathOfFile(file: File): string | null {
  return bridge()?.pathOfFile?.(file) || null;
}

export function connectMessagePort(): Promise<Port> {
  return new Promise((resolve) => {
    const take = (event: MessageEvent) => {
      const port = event.ports[0];
      if (event.source !== window || (event.data as { parallax?: unknown } | null)?.parallax !== "port" || !port)
        return;
      window.removeEventListener("message", take);
      resolve(wrap(port));
    };
    window.addEventListener("message", take);
    bridge()?.requestPort();
  });
}

function wrap(port: MessagePort): Port {
  const messages = new Set<(message: unknown) => void>();
  const closes = new Set<(reason: string) => void>();
  port.onmessage = (event) => {
    for (const listener of messages) listener(event.data);
  };
  port.addEventListener("close", () => {
    for (const listener of closes) listener("the window's port was closed");
  });
  port.start();
  return {
    send: (message) => port.postMessage(message),
    onMessage: (listener) => {
      messages.add(listener);
      return () => messages.delete(listener);
    },
    onClose: (listener) => {
      closes.add(listener);
      return () => closes.delete(listener);
    },
    close: () => port.close(),
  };
}
