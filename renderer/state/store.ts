/** Holds the state outside React and tells who listens. */
import { type Action, initialState, reduce } from "./reducer.ts";
import type { AppState } from "./types.ts";

export class Store {
  #state: AppState = initialState;
  #listeners = new Set<() => void>();

  get state(): AppState {
    return this.#state;
  }

  readonly dispatch = (action: Action): void => {
    const next = reduce(this.#state, action);
    if (next === this.#state) return;
    this.#state = next;
    for (const listener of [...this.#listeners]) listener();
  };

  readonly subscribe = (listener: () => void): (() => void) => {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  };
}
