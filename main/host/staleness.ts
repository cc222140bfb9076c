/**
 * Which outputs no longer match, and why, in words. From what each cell defined and used when it ran: nothing is run to
 * find out, and nothing runs because of it.
 */
import type { CellNames } from "../../kernels/protocol/kernel-messages.ts";
import type { Cell } from "../../notebooks/format/model.ts";

interface Ran {
  serial: number;
  source: string;
  count: number;
  /** Names it read, and which cell's run had made each: null when none had. */
  uses: Map<string, { cellId: string; serial: number } | null>;
}

export class Staleness {
  readonly #runs = new Map<string, Ran>();
  /** The newest run that defined each name. */
  readonly #definers = new Map<string, { cellId: string; serial: number }>();
  #serial = 0;

  /** A cell has run: with this source, defining and using these names, as number `count`. */
  ran(cellId: string, source: string, count: number, names: CellNames): void {
    const serial = ++this.#serial;
    const uses = new Map(names.uses.map((name) => [name, this.#definers.get(name) ?? null]));
    this.#runs.set(cellId, { serial, source, count, uses });
    for (const name of names.defines) this.#definers.set(name, { cellId, serial });
  }

  /** The kernel began anew: no output belongs to it. */
  reset(): void {
    this.#runs.clear();
    this.#definers.clear();
  }

  /** Whether an edit of this cell can change what is stale. */
  hasRun(cellId: string): boolean {
    return this.#runs.has(cellId);
  }

  /** Reason per stale cell. */
  reasons(cells: readonly Cell[]): Map<string, string> {
    const sources = new Map(cells.map((cell) => [cell.id, cell.source]));
    const known = new Map<string, string | null>();
    const reasonOf = (cellId: string): string | null => {
      const before = known.get(cellId);
      if (before !== undefined) return before;
      known.set(cellId, null); // Cells that use each other's names: the first one asked about is not stale by itself.
      const reason = this.#reason(cellId, sources, reasonOf);
      known.set(cellId, reason);
      return reason;
    };
    const stale = new Map<string, string>();
    for (const cell of cells) {
      const reason = reasonOf(cell.id);
      if (reason !== null) stale.set(cell.id, reason);
    }
    return stale;
  }

  #reason(cellId: string, sources: Map<string, string>, reasonOf: (id: string) => string | null): string | null {
    const run = this.#runs.get(cellId);
    if (run === undefined) return null;
    if (sources.has(cellId) && sources.get(cellId) !== run.source) return "its code changed since it ran";
    let inherited: string | null = null;
    for (const [name] of run.uses) {
      const maker = this.#definers.get(name);
      // `x = x + 1` makes the name it reads; that is no reason to run it again.
      if (maker === undefined || maker.cellId === cellId) continue;
      const makerRun = this.#runs.get(maker.cellId);
      const label = makerRun === undefined ? "a deleted cell" : `cell [${makerRun.count}]`;
      if (maker.serial > run.serial) return `\`${name}\` changed in ${label}`;
      if (!sources.has(maker.cellId) || makerRun === undefined) continue;
      if (sources.get(maker.cellId) !== makerRun.source) return `\`${name}\` changed in ${label}`;
      if (reasonOf(maker.cellId) !== null) inherited ??= `\`${name}\` comes from ${label}, which is stale`;
    }
    return inherited;
  }
}
