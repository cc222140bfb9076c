import { closeDocument } from "../commands/app-commands.ts";
import { useApp, useSelect } from "../state/hooks.ts";
import type { AppState, Tab } from "../state/types.ts";
import { Tabs } from "../ui/tabs.tsx";

/** One tab a notebook, and one for each screen that is open. Hidden while there is only the start page. */
export function TabRow() {
  const app = useApp();
  const tabs = useSelect((state) => state.tabs);
  const active = useSelect((state) => state.activeTab);
  const documents = useSelect((state) => state.documents);
  if (tabs.length === 1 && tabs[0]?.kind === "start") return null;
  return (
    <div className="tab-row" data-region="tabs">
      <Tabs
        label="Open notebooks and screens"
        panelId="main"
        active={String(active)}
        onSelect={(id) => app.store.dispatch({ type: "tab.shown", index: Number(id) })}
        items={tabs.map((tab, index) => ({
          id: String(index),
          ...describe(tab, documents),
          closeLabel: `Close ${describe(tab, documents).name}`,
          onClose: () =>
            tab.kind === "notebook" ? closeDocument(app, tab.docId) : app.store.dispatch({ type: "tab.closed", index }),
        }))}
      />
    </div>
  );
}

function describe(tab: Tab, documents: AppState["documents"]): { label: string; name: string } {
  if (tab.kind === "start") return { label: "Start", name: "Start page" };
  if (tab.kind === "encoders") return { label: "Encoders", name: "Encoders" };
  if (tab.kind === "runs") return { label: "Runs", name: "Fine-tune runs" };
  const doc = documents[tab.docId];
  if (!doc) return { label: "…", name: "Notebook" };
  return { label: `${doc.dirty ? "• " : ""}${doc.name}`, name: `${doc.name}${doc.dirty ? ", not saved" : ""}` };
}
