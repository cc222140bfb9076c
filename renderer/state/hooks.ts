/** How components reach the store: read with a selector, act through commands or the app. */
import { createContext, useContext, useRef, useSyncExternalStore } from "react";
import type { App } from "./app.ts";
import { activeDocument } from "./selectors.ts";
import type { AppState, DocumentState } from "./types.ts";

export const AppContext = createContext<App | null>(null);

export function useApp(): App {
  const app = useContext(AppContext);
  if (app === null) throw new Error("useApp needs an AppContext around it.");
  return app;
}

/** What `select` reads of the state; renders again only when that changes (compared with `Object.is` or `same`). */
export function useSelect<T>(select: (state: AppState) => T, same: (a: T, b: T) => boolean = Object.is): T {
  const { store } = useApp();
  const last = useRef<{ value: T } | null>(null);
  return useSyncExternalStore(store.subscribe, () => {
    const value = select(store.state);
    if (last.current && same(last.current.value, value)) return last.current.value;
    last.current = { value };
    return value;
  });
}

export function useActiveDocument(): DocumentState | null {
  return useSelect(activeDocument);
}

/** For lists that are made anew on each read. */
export function sameItems<T>(a: readonly T[], b: readonly T[]): boolean {
  return a.length === b.length && a.every((item, i) => Object.is(item, b[i]));
}
