/** The frame of every screen: title bar, rail, tabs, main area, side panel, jobs bar; and what floats above them. */
import { useEffect } from "react";
import { HelpDialog } from "../features/help/help-dialog.tsx";
import { SettingsDialog } from "../features/help/settings-dialog.tsx";
import { JobsBar } from "../features/jobs/jobs-bar.tsx";
import { NotebookDialogs } from "../features/notebook/notebook-dialogs.tsx";
import { NotebookScreen } from "../features/notebook/notebook-screen.tsx";
import { VariablesPanel } from "../features/notebook/variables-panel.tsx";
import { Palette } from "../features/palette/palette.tsx";
import { OpenDialog } from "../features/start/open-dialog.tsx";
import { StartScreen } from "../features/start/start-screen.tsx";
import { useApp, useSelect } from "../state/hooks.ts";
import { activeTab } from "../state/selectors.ts";
import { applyTheme } from "../theme/theme.ts";
import { Notices } from "../ui/notices.tsx";
import { ConnectionBar } from "./connection-bar.tsx";
import { EncodersTab } from "./encoders-tab.tsx";
import { Live } from "./live.tsx";
import { Outputs } from "./outputs.tsx";
import { Rail } from "./rail.tsx";
import { RunsTab } from "./runs-tab.tsx";
import { TabRow } from "./tab-row.tsx";
import { TitleBar } from "./title-bar.tsx";
import { useKeys } from "./use-keys.ts";
import "./shell.css";

export function Shell() {
  const app = useApp();
  const settings = useSelect((state) => state.settings);
  const notices = useSelect((state) => state.notices);
  useKeys();
  useEffect(() => applyTheme(settings.theme, settings.density), [settings.theme, settings.density]);
  useLeaveWarning();
  return (
    <Outputs>
      <div className="shell">
        <TitleBar />
        <ConnectionBar />
        <div className="shell-middle">
          <Rail />
          <div className="shell-center">
            <TabRow />
            <Screen />
          </div>
          <SidePanel />
        </div>
        <JobsBar />
        <Notices items={notices} onDismiss={(id) => app.store.dispatch({ type: "notice.dismissed", id })} />
        <Overlays />
        <Live />
      </div>
    </Outputs>
  );
}

function Screen() {
  const tab = useSelect(activeTab);
  return (
    <main className="shell-main" id="main" data-region="main" tabIndex={-1}>
      {tab.kind === "start" && <StartScreen />}
      {tab.kind === "notebook" && <NotebookScreen key={tab.docId} docId={tab.docId} />}
      {tab.kind === "encoders" && <EncodersTab />}
      {tab.kind === "runs" && <RunsTab />}
    </main>
  );
}

function SidePanel() {
  const panel = useSelect((state) => state.sidePanel);
  const tab = useSelect(activeTab);
  if (panel === null || tab.kind !== "notebook") return null;
  return <VariablesPanel key={tab.docId} docId={tab.docId} />;
}

function Overlays() {
  const overlay = useSelect((state) => state.overlay);
  return (
    <>
      {overlay?.kind === "palette" && <Palette />}
      {overlay?.kind === "help" && <HelpDialog />}
      {overlay?.kind === "settings" && <SettingsDialog />}
      {overlay?.kind === "open" && <OpenDialog />}
      <NotebookDialogs />
    </>
  );
}

/** The host keeps a backup of unsaved edits, but closing a tab by mistake deserves a question. */
function useLeaveWarning(): void {
  const dirty = useSelect((state) => Object.values(state.documents).some((doc) => doc.dirty && !doc.readOnly));
  useEffect(() => {
    if (!dirty) return;
    const ask = (event: BeforeUnloadEvent) => event.preventDefault();
    window.addEventListener("beforeunload", ask);
    return () => window.removeEventListener("beforeunload", ask);
  }, [dirty]);
}
