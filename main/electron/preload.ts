/**
 * The only bridge into the page: it may ask for a port to the host, and where a file is that the user dropped on it. The
 * page gets no ipcRenderer and nothing of Node.
 * renderer/host/port-electron.ts is the other side.
 */
import { contextBridge, ipcRenderer, webUtils } from "electron";

ipcRenderer.on("parallax.port", (event) => {
  window.postMessage({ parallax: "port" }, location.origin, [...event.ports]);
});

contextBridge.exposeInMainWorld("parallaxDesktop", {
  requestPort: () => ipcRenderer.send("parallax.request-port"),
  pathOfFile: (file: File) => webUtils.getPathForFile(file),
});
