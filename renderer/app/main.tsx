import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { HostClient } from "../host/client.ts";
import { connectMessagePort, isDesktop } from "../host/port-electron.ts";
import { connectWebSocket, socketAddress } from "../host/port-websocket.ts";
import { App } from "../state/app.ts";
import { AppContext } from "../state/hooks.ts";
import "../theme/tokens.css";
import "../theme/base.css";
import { keepOpen, reopen } from "./restore.ts";
import { Shell } from "./shell.tsx";

const client = new HostClient(() => (isDesktop() ? connectMessagePort() : connectWebSocket(socketAddress(location))));
const app = new App(client);
app.start();
void reopen(app).finally(() => keepOpen(app));

const root = document.getElementById("root");
if (!root) throw new Error("index.html has no #root.");
createRoot(root).render(
  <StrictMode>
    <AppContext value={app}>
      <Shell />
    </AppContext>
  </StrictMode>,
);
