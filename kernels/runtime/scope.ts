/** The notebook's variables: one object that all cells run in, and who made what. */
import type { DeclarationKind } from "./cell-names.ts";

interface Entry {
  cellId: string;
  /** Rises with each definition: newest first in lists. */
  order: number;
}

type Descriptor = PropertyDescriptor & { get?: () => unknown };

export class NotebookScope {
  /** Null prototype: nothing but the cells' names is found in it. The tag is how engine messages call it. */
  readonly object: Record<string, unknown> = Object.create(null, { [Symbol.toStringTag]: { value: SCOPE_TAG } });
  readonly #entries = new Map<string, Entry>();
  /** Names that a cell declared and never set. */
  readonly #unset = new Set<string>();
  #order = 0;

  /** True for names that the scope has, whether set or not: what the compiler may read directly. */
  has(name: string): boolean {
    return Object.hasOwn(this.object, name);
  }

  /**
   * Prepares the names that a cell declares. A new name cannot be read before its declaration runs; an old one keeps
   * its value until then, so a cell that fails half-way loses nothing.
   * @returns what to call when the cell is over
   */
  declare(declarations: ReadonlyMap<string, DeclarationKind>, cellId: string): () => void {
    const pending = new Map<string, Descriptor | undefined>();
    for (const [name, kind] of declarations) {
      if (kind === "import") continue;
      const old = this.#unset.has(name) ? undefined : Object.getOwnPropertyDescriptor(this.object, name);
      if (kind === "var") {
        this.#set(name, old === undefined ? undefined : read(old), true, cellId);
        continue;
      }
      pending.set(name, old);
      this.#unset.delete(name);
      Object.defineProperty(this.object, name, {
        configurable: true,
        enumerable: true,
        get: () => {
          if (old !== undefined) return read(old);
          throw new ReferenceError(`Cannot access '${name}' before initialization`);
        },
        set: (value: unknown) => {
          pending.delete(name);
          this.#set(name, value, kind !== "const", cellId);
        },
      });
    }
    return () => {
      for (const [name, old] of pending) {
        if (old !== undefined) Object.defineProperty(this.object, name, old);
        else this.#unset.add(name);
      }
      pending.clear();
    };
  }

  /** An imported name: read through, so that it follows the module, and never assigned. */
  bring(name: string, get: () => unknown, cellId: string): void {
    this.#unset.delete(name);
    Object.defineProperty(this.object, name, { configurable: true, enumerable: true, get });
    this.#note(name, cellId);
  }

  #set(name: string, value: unknown, writable: boolean, cellId: string): void {
    this.#unset.delete(name);
    Object.defineProperty(this.object, name, { configurable: true, enumerable: true, writable, value });
    this.#note(name, cellId);
  }

  #note(name: string, cellId: string): void {
    this.#order += 1;
    this.#entries.set(name, { cellId, order: this.#order });
  }

  /** A variable's value. The getter of an import may throw (a module in a cycle). */
  value(name: string): unknown {
    return this.object[name];
  }

  isSet(name: string): boolean {
    return this.#entries.has(name) && !this.#unset.has(name) && this.has(name);
  }

  isImport(name: string): boolean {
    return Object.getOwnPropertyDescriptor(this.object, name)?.get !== undefined;
  }

  /** Names that hold a value, newest first. */
  names(): { name: string; cellId: string }[] {
    return [...this.#entries]
      .filter(([name]) => this.isSet(name))
      .sort(([, a], [, b]) => b.order - a.order)
      .map(([name, { cellId }]) => ({ name, cellId }));
  }
}

/** How the engine names the scope in its messages, "of object '[object cells]'". */
export const SCOPE_TAG = "cells";

const read = (descriptor: Descriptor): unknown => (descriptor.get ? descriptor.get() : descriptor.value);
