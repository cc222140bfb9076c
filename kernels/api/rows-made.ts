/** Rows that a call made, with its report: shown as a table, written to a file, taken by fineTune. */
import path from "node:path";
import { tableBundle } from "../data/table-view.ts";
import type { LeakReport } from "../mining/leaks.ts";
import { DISPLAY, type Displayable, type MimeBundle, type TableView } from "../protocol/display.ts";
import type { TrainingRow } from "../train/rows.ts";
import { writeRows } from "../train/write-rows.ts";
import { currentContext } from "./context.ts";

/** Training rows and how they came about. `fineTune({ pairs: made })` takes them. */
export class RowsMade<R> implements Displayable {
  readonly rows: readonly TrainingRow[];
  /** Counts, and examples of what was left out. */
  readonly report: R;
  readonly #view: TableView;

  constructor(rows: readonly TrainingRow[], report: R, view: TableView) {
    this.rows = rows;
    this.report = report;
    this.#view = view;
  }

  get n(): number {
    return this.rows.length;
  }

  /**
   * Write the rows as .jsonl, .json or .tsv.
   * @throws {ParallaxError} train.rows-format, train.rows-not-tsv, file.write-failed
   */
  async save(file: string): Promise<void> {
    writeRows(path.resolve(currentContext().workingFolder, file), this.rows);
  }

  [DISPLAY](): MimeBundle {
    return tableBundle(this.#view);
  }
}

/** What rows share with evaluation tasks. */
export class LeaksFound implements Displayable {
  readonly report: LeakReport;
  readonly #view: TableView;

  constructor(report: LeakReport, view: TableView) {
    this.report = report;
    this.#view = view;
  }

  /** Rows that share a text with any task. */
  get n(): number {
    return this.report.leaking;
  }

  [DISPLAY](): MimeBundle {
    return tableBundle(this.#view);
  }
}
