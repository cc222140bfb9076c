/**
 * A page with every kind of output, or with the runs or the encoders screen, over a fake host.
 * ?show=table,map picks sections; ?screen=runs, runs-empty, encoders, encoders-empty or encoders-broken; ?host=none leaves the host out; #theme is set by the test.
 */
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { EncodersScreen } from "../../renderer/features/encoders/encoders-screen.tsx";
import { OutputArea } from "../../renderer/features/outputs/output-area.tsx";
import { RunsScreen } from "../../renderer/features/runs/runs-screen.tsx";
import { HostClient } from "../../renderer/host/client.ts";
import { App } from "../../renderer/state/app.ts";
import { AppContext } from "../../renderer/state/hooks.ts";
import { applyTheme } from "../../renderer/theme/theme.ts";
import { fakeEncodersHost } from "./fake-encoders-host.ts";
import { fakeRunsHost } from "./fake-runs-host.ts";
import { sections } from "./output-fixtures.ts";
import "../../renderer/theme/tokens.css";
import "../../renderer/theme/base.css";

const query = new URLSearchParams(location.search);
const screen = query.get("screen");
const wanted = query.get("show")?.split(",") ?? null;

declare global {
  interface Window {
    harness: {
      frames: unknown[];
      calls: { method: string; params: unknown }[];
      setTheme(name: "light" | "dark"): void;
      append(text: string): void;
      app: App;
    };
  }
}

const encoders = screen?.startsWith("encoders") === true;
const fakeEncoders = fakeEncodersHost({ scene: screen?.split("-")[1] ?? "usual" });
const host = encoders
  ? fakeEncoders
  : fakeRunsHost({ empty: screen === "runs-empty", stepEveryMs: Number(query.get("step") ?? 0) });
const client = new HostClient(host.connect);
const app = new App(client);
window.harness = {
  frames: [],
  calls: host.calls,
  setTheme: (name) => applyTheme(name, "comfortable"),
  append: () => undefined,
  app,
};
applyTheme(query.get("theme") === "dark" ? "dark" : "light", "comfortable");
if (query.get("host") !== "none") app.start();

const shown = sections()
  .filter((section) => wanted?.includes(section.name) ?? section.name !== "bigmap")
  .map((section) => ({ ...section, outputs: section.outputs() }));

function Page() {
  if (screen === "runs" || screen === "runs-empty")
    return (
      <main style={{ height: "100vh" }} aria-label="Runs">
        <RunsScreen />
      </main>
    );
  if (encoders)
    return (
      <main style={{ height: "100vh" }} aria-label="Encoders">
        <EncodersScreen />
      </main>
    );
  return (
    <main
      style={{
        maxWidth: 1080,
        margin: "0 auto",
        padding: 24,
        display: "grid",
        gap: 24,
        gridTemplateColumns: "minmax(0, 1fr)",
      }}
    >
      <h1 className="type-h2">Outputs</h1>
      {shown.map((section) => (
        <section key={section.name} id={section.name} aria-label={section.title}>
          <h2 className="type-caption" style={{ paddingBottom: 4 }}>
            {section.title}
          </h2>
          <OutputArea
            outputs={section.outputs}
            cellId={section.name}
            onShowFrame={(frame) => window.harness.frames.push(frame)}
            dimmedFrom={section.dimmedFrom ?? null}
          />
        </section>
      ))}
    </main>
  );
}

createRoot(document.getElementById("root")!).render(
  <StrictMode>
    <AppContext value={query.get("host") === "none" ? null : app}>
      <Page />
    </AppContext>
  </StrictMode>,
);
