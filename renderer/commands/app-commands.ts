/** Commands of the whole page: files, kernel, screens. */
import type { App } from "../state/app.ts";
import { activeTab, isBusy } from "../state/selectors.ts";
import type { DocumentState, Overlay, Tab } from "../state/types.ts";
import { type Command, hasDocument, onDocument } from "./command.ts";

const open = (overlay: Overlay) => (app: App) => app.store.dispatch({ type: "overlay.opened", overlay });
const show = (tab: Tab) => (app: App) => app.store.dispatch({ type: "screen.shown", tab });

export function newNotebook(app: App): Promise<boolean> {
  return app.open("a new notebook", () => app.client.call("notebook.new", {}));
}

export function openPath(app: App, path: string): Promise<boolean> {
  return app.open(path, () => app.client.call("notebook.open", { path }));
}

export function openExample(app: App, id: string, title: string): Promise<boolean> {
  return app.open(title, () => app.client.call("notebook.open-example", { id }));
}

export function save(app: App, doc: DocumentState): void {
  if (doc.path === null) open({ kind: "save-as", docId: doc.docId })(app);
  else void app.save(doc.docId);
}

export async function restart(app: App, docId: string, thenRun: string[] = []): Promise<void> {
  if ((await app.attempt("kernel.restart", { docId })) !== null) await app.run(docId, thenRun);
}

function closeTab(app: App): void {
  const { state } = app.store;
  const tab = activeTab(state);
  if (tab.kind === "notebook") closeDocument(app, tab.docId);
  else app.store.dispatch({ type: "tab.closed", index: state.activeTab });
}

/** Asks first when there is something to lose. */
export function closeDocument(app: App, docId: string): void {
  const doc = app.store.state.documents[docId];
  if (!doc) return;
  if (doc.dirty || isBusy(doc)) app.store.dispatch({ type: "overlay.opened", overlay: { kind: "close", docId } });
  else void reallyClose(app, docId);
}

export async function reallyClose(app: App, docId: string): Promise<void> {
  await app.outbox.flush(docId).catch((error: unknown) => app.report(error));
  await app.attempt("notebook.close", { docId, keepKernel: false });
  app.outbox.drop(docId);
  app.store.dispatch({ type: "document.closed", docId });
}

function showNotebook(app: App): void {
  const index = app.store.state.tabs.findIndex((tab) => tab.kind === "notebook");
  if (index >= 0) app.store.dispatch({ type: "tab.shown", index });
  else show({ kind: "start" })(app);
}

export const appCommands: Command[] = [
  { id: "notebook.new", title: "New notebook", group: "File", keys: ["Mod+N"], when: "always", run: newNotebook },
  {
    id: "notebook.open",
    title: "Open a notebook…",
    group: "File",
    keys: ["Mod+O"],
    when: "always",
    run: open({ kind: "open" }),
  },
  {
    id: "notebook.save",
    title: "Save",
    group: "File",
    keys: ["Mod+S"],
    when: "always",
    enabled: hasDocument,
    run: onDocument(save),
  },
  {
    id: "notebook.save-as",
    title: "Save as…",
    group: "File",
    keys: ["Mod+Shift+S"],
    when: "always",
    enabled: hasDocument,
    run: onDocument((app, doc) => open({ kind: "save-as", docId: doc.docId })(app)),
  },
  { id: "tab.close", title: "Close the tab", group: "File", keys: ["Alt+W"], when: "always", run: closeTab },
  {
    id: "kernel.interrupt",
    title: "Interrupt: stop the running cell, keep the variables",
    group: "Kernel",
    keys: ["I I"],
    when: "command",
    enabled: hasDocument,
    run: onDocument((app, doc) => app.attempt("kernel.interrupt", { docId: doc.docId })),
  },
  {
    id: "kernel.restart",
    title: "Restart the kernel…",
    group: "Kernel",
    keys: ["0 0"],
    when: "command",
    enabled: hasDocument,
    run: onDocument((app, doc) => open({ kind: "restart", docId: doc.docId, thenRun: [] })(app)),
  },
  {
    id: "kernel.restart-run-all",
    title: "Restart the kernel and run all cells…",
    group: "Kernel",
    keys: [],
    when: "notebook",
    enabled: hasDocument,
    run: onDocument((app, doc) => {
      const code = doc.notebook.cells.filter((cell) => cell.cell_type === "code").map((cell) => cell.id);
      open({ kind: "restart", docId: doc.docId, thenRun: code })(app);
    }),
  },
  {
    id: "kernel.shutdown",
    title: "Shut the kernel down",
    group: "Kernel",
    keys: [],
    when: "notebook",
    enabled: hasDocument,
    run: onDocument((app, doc) => app.attempt("kernel.shutdown", { docId: doc.docId })),
  },
  {
    id: "view.notebook",
    title: "Show the notebook",
    group: "View",
    keys: ["Mod+1"],
    when: "always",
    run: showNotebook,
  },
  {
    id: "view.encoders",
    title: "Show the encoders",
    group: "View",
    keys: ["Mod+2"],
    when: "always",
    run: show({ kind: "encoders" }),
  },
  {
    id: "view.runs",
    title: "Show the fine-tune runs",
    group: "View",
    keys: ["Mod+5"],
    when: "always",
    run: show({ kind: "runs" }),
  },
  {
    id: "view.start",
    title: "Show the start page",
    group: "View",
    keys: [],
    when: "always",
    run: show({ kind: "start" }),
  },
  {
    id: "view.rail",
    title: "Show or hide the rail",
    group: "View",
    keys: ["Mod+B"],
    when: "always",
    run: (app) => app.store.dispatch({ type: "rail.toggled" }),
  },
  {
    id: "view.variables",
    title: "Show or hide the variables",
    group: "View",
    keys: ["Mod+J"],
    when: "always",
    enabled: hasDocument,
    run: (app) => app.store.dispatch({ type: "side-panel.toggled", panel: "variables" }),
  },
  {
    id: "app.settings",
    title: "Settings",
    group: "View",
    keys: ["Mod+,"],
    when: "always",
    run: open({ kind: "settings" }),
  },
  {
    id: "app.palette",
    title: "All commands",
    group: "Help",
    keys: ["Mod+K"],
    when: "always",
    keyOnly: true,
    run: open({ kind: "palette" }),
  },
  {
    id: "app.help",
    title: "Keys and help",
    group: "Help",
    keys: ["?"],
    when: "outside-text",
    run: open({ kind: "help" }),
  },
];
