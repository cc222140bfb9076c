/** The page's whole state: one reducer that hands each action to the part it concerns. */
import type { ErrorData } from "../../kernels/protocol/errors.ts";
import type { HostResult, Job, OpenedNotebook, Settings } from "../../kernels/protocol/host-methods.ts";
import type { Cell } from "../../notebooks/format/model.ts";
import type { ConnectionState } from "../host/client.ts";
import { type DocumentAction, openDocument, reduceDocument } from "./documents.ts";
import { reduceJobs } from "./jobs.ts";
import type { AppState, Notice, Overlay, SidePanel, Tab } from "./types.ts";

export type Action =
  | DocumentAction
  | { type: "connection.changed"; connection: ConnectionState }
  | { type: "hello.received"; hello: HostResult<"app.hello"> }
  | { type: "start-page.loaded"; page: HostResult<"app.start-page"> }
  | { type: "start-page.failed"; error: ErrorData }
  | { type: "settings.changed"; settings: Settings }
  | { type: "document.opening"; what: string | null }
  /** `instead` names a document that this one takes the place of: the same file read again, a host that began anew. */
  | { type: "document.opened"; opened: OpenedNotebook; instead?: string }
  | { type: "document.closed"; docId: string }
  | { type: "tab.shown"; index: number }
  | { type: "screen.shown"; tab: Tab }
  | { type: "tab.closed"; index: number }
  | { type: "job.changed"; job: Job; now: number }
  | { type: "job.cancelled"; jobId: string; now: number }
  | { type: "overlay.opened"; overlay: Overlay }
  | { type: "overlay.closed" }
  | { type: "notice.shown"; level: Notice["level"]; error: ErrorData }
  | { type: "notice.dismissed"; id: number }
  | { type: "announced"; text: string }
  | { type: "side-panel.toggled"; panel: SidePanel }
  | { type: "rail.toggled" }
  | { type: "clipboard.filled"; cells: Cell[] };

export const initialState: AppState = {
  connection: { state: "connecting" },
  hello: null,
  startPage: null,
  startPageError: null,
  settings: { theme: "system", density: "comfortable", threads: 1 },
  documents: {},
  tabs: [{ kind: "start" }],
  activeTab: 0,
  lastNotebook: null,
  jobs: {},
  overlay: null,
  notices: [],
  announcement: "",
  sidePanel: null,
  railHidden: false,
  clipboard: [],
  opening: null,
};

export function reduce(state: AppState, action: Action): AppState {
  const next = reduceParts(state, action);
  if (next.tabs === state.tabs && next.activeTab === state.activeTab) return next;
  const tab = next.tabs[next.activeTab];
  if (tab?.kind === "notebook") return { ...next, lastNotebook: tab.docId };
  return next.lastNotebook === null || next.documents[next.lastNotebook] ? next : { ...next, lastNotebook: null };
}

function reduceParts(state: AppState, action: Action): AppState {
  switch (action.type) {
    case "connection.changed":
      return { ...state, connection: action.connection };
    case "hello.received":
      return { ...state, hello: action.hello, settings: action.hello.settings };
    case "start-page.loaded":
      return { ...state, startPage: action.page, startPageError: null };
    case "start-page.failed":
      return { ...state, startPageError: action.error };
    case "settings.changed":
      return { ...state, settings: action.settings };
    case "document.opening":
      return { ...state, opening: action.what };
    case "document.opened":
      return opened(state, action);
    case "document.closed":
    case "tab.closed": {
      const index =
        action.type === "tab.closed"
          ? action.index
          : state.tabs.findIndex((tab) => tab.kind === "notebook" && tab.docId === action.docId);
      return closed(state, index);
    }
    case "tab.shown":
      return action.index in state.tabs ? { ...state, activeTab: action.index, overlay: null } : state;
    case "screen.shown": {
      const index = state.tabs.findIndex((tab) => sameTab(tab, action.tab));
      if (index >= 0) return { ...state, activeTab: index, overlay: null };
      return { ...state, tabs: [...state.tabs, action.tab], activeTab: state.tabs.length, overlay: null };
    }
    case "job.changed":
    case "job.cancelled":
      return { ...state, jobs: reduceJobs(state.jobs, action) };
    case "overlay.opened":
      return { ...state, overlay: action.overlay };
    case "overlay.closed":
      return { ...state, overlay: null };
    case "notice.shown": {
      const id = (state.notices.at(-1)?.id ?? 0) + 1;
      return { ...state, notices: [...state.notices.slice(-3), { id, level: action.level, error: action.error }] };
    }
    case "notice.dismissed":
      return { ...state, notices: state.notices.filter((notice) => notice.id !== action.id) };
    case "announced":
      return { ...state, announcement: action.text };
    case "side-panel.toggled":
      return { ...state, sidePanel: state.sidePanel === action.panel ? null : action.panel };
    case "rail.toggled":
      return { ...state, railHidden: !state.railHidden };
    case "clipboard.filled":
      return { ...state, clipboard: action.cells };
    default: {
      const doc = state.documents[action.docId];
      if (!doc) return state;
      const next = reduceDocument(doc, action);
      return next === doc ? state : { ...state, documents: { ...state.documents, [doc.docId]: next } };
    }
  }
}

function opened(state: AppState, action: Extract<Action, { type: "document.opened" }>): AppState {
  const docId = action.opened.docId;
  const old = action.instead ?? docId;
  const before = state.documents[old];
  let doc = openDocument(action.opened);
  // The same file read again: stay where the user was.
  if (before && doc.notebook.cells.some((cell) => cell.id === before.active))
    doc = { ...doc, active: before.active, anchor: before.active, mode: "command", lineNumbers: before.lineNumbers };
  const { [old]: _replaced, ...others } = state.documents;
  const tab: Tab = { kind: "notebook", docId };
  const at = state.tabs.findIndex((candidate) => candidate.kind === "notebook" && candidate.docId === old);
  const tabs =
    at >= 0
      ? state.tabs.map((candidate, i) => (i === at ? tab : candidate))
      : // The start page makes room for the notebook that was chosen on it.
        [...state.tabs.filter((candidate) => candidate.kind !== "start"), tab];
  return {
    ...state,
    documents: { ...others, [docId]: doc },
    tabs,
    // A notebook that was read anew behind another tab does not come to the front.
    activeTab:
      at >= 0 && action.instead !== undefined
        ? state.activeTab
        : tabs.findIndex((candidate) => sameTab(candidate, tab)),
    opening: null,
    overlay: null,
  };
}

function closed(state: AppState, index: number): AppState {
  const tab = state.tabs[index];
  if (!tab) return state;
  let documents = state.documents;
  if (tab.kind === "notebook") {
    const { [tab.docId]: _closed, ...rest } = documents;
    documents = rest;
  }
  let tabs = state.tabs.filter((_, i) => i !== index);
  if (tabs.length === 0) tabs = [{ kind: "start" }];
  const activeTab = Math.min(state.activeTab > index ? state.activeTab - 1 : state.activeTab, tabs.length - 1);
  return { ...state, documents, tabs, activeTab, overlay: null };
}

export function sameTab(a: Tab, b: Tab): boolean {
  return a.kind === b.kind && (a.kind !== "notebook" || a.docId === (b as { docId: string }).docId);
}
