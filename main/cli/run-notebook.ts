/**
 * `parallax run`: a notebook from top to bottom without a window, through the same kernel session as the page, so that
 * the numbers are the same. What cells print goes to standard output as it comes; progress goes to standard error.
 */
import { readFile } from "node:fs/promises";
import path from "node:path";
import color from "picocolors";
import { EXIT } from "../../kernels/protocol/cli-messages.ts";
import { MIME } from "../../kernels/protocol/display.ts";
import { ParallaxError } from "../../kernels/protocol/errors.ts";
import type { CellState } from "../../kernels/protocol/host-methods.ts";
import type { Cell, Notebook, NotebookOp, Output } from "../../notebooks/format/model.ts";
import { applyOps } from "../../notebooks/format/ops.ts";
import { decodeNotebook } from "../../notebooks/format/parse.ts";
import { encodeNotebook, printNotebook } from "../../notebooks/format/print.ts";
import { KernelSession, type RunnableNotebook } from "../host/kernel-session.ts";
import { writeAtomically } from "../host/write-atomically.ts";
import { formatDuration, ProgressLine } from "./print.ts";

export interface RunOptions {
  file: string;
  /** Where the notebook with its outputs goes; null writes nothing. */
  out: string | null;
  keepGoing: boolean;
  json: boolean;
}

interface CellOutcome {
  cellId: string;
  index: number;
  state: CellState["state"];
  elapsedMs: number | null;
  outputs: Output[];
}

/** @throws {ParallaxError} run.unreadable, and the notebook's own problem when it is broken; nothing is written then. */
export async function runNotebook(options: RunOptions): Promise<number> {
  const { notebook, source } = await read(options.file);
  const document = new NotebookInMemory(options.file, notebook);
  const line = new ProgressLine();
  const waiting = new Map<string, (state: CellState) => void>();
  const session: KernelSession = new KernelSession(document, {
    fallbackFolder: path.dirname(options.file),
    onRunStarted: (folder) => line.note(`run folder: ${folder}`),
    emit: (event, payload) => {
      if (event === "job.changed") {
        const { job } = payload as {
          job: {
            stage: string;
            done: number;
            total: number;
            unit: string;
            rate: number | null;
            etaMs: number | null;
            finished: boolean;
          };
        };
        if (job.finished) line.close();
        else line.show({ ...job, rate: job.rate ?? undefined, etaMs: job.etaMs ?? undefined, note: undefined });
      }
      if (event === "cell.changed")
        for (const cell of (payload as { cells: CellState[] }).cells)
          if (["done", "failed", "stopped"].includes(cell.state)) waiting.get(cell.cellId)?.(cell);
    },
  });
  let interrupted = false;
  const interrupt = (): void => {
    if (interrupted) process.exit(EXIT.interrupted);
    interrupted = true;
    line.note("Stopping the cell… (once more: at once)");
    session.interrupt();
  };
  process.on("SIGINT", interrupt);
  process.on("SIGTERM", interrupt);

  const outcomes: CellOutcome[] = [];
  const code = notebook.cells.flatMap((cell, index) =>
    cell.cell_type === "code" && cell.source.trim() !== "" ? [{ cell, index }] : [],
  );
  try {
    for (const { cell, index } of code) {
      if (interrupted) break;
      const finished = new Promise<CellState>((resolve) => waiting.set(cell.id, resolve));
      session.run([cell.id]);
      const state = await finished;
      waiting.delete(cell.id);
      const outputs = document.notebook.cells[index]?.outputs ?? [];
      outcomes.push({ cellId: cell.id, index, state: state.state, elapsedMs: state.elapsedMs, outputs });
      line.close();
      if (!options.json) printCell(cell, index, state, outputs);
      if (state.state !== "done" && !options.keepGoing) break;
    }
  } finally {
    await session.shutdown();
    process.off("SIGINT", interrupt);
    process.off("SIGTERM", interrupt);
  }

  if (options.out !== null) {
    await writeAtomically(options.out, encodeNotebook(printNotebook(document.notebook, source).text));
    line.note(`Written: ${options.out}`);
  }
  const failed = outcomes.filter((outcome) => outcome.state !== "done");
  const ran = outcomes.length;
  if (options.json)
    process.stdout.write(
      `${JSON.stringify({ notebook: options.file, out: options.out, cells: code.length, ran, ok: failed.length === 0 && ran === code.length, outcomes }, null, 2)}\n`,
    );
  else
    process.stderr.write(
      failed.length === 0 && ran === code.length
        ? `${ran} cells done.\n`
        : `${ran - failed.length} of ${code.length} cells done, ${failed.length} not; ${code.length - ran} were not started.\n`,
    );
  if (interrupted) return EXIT.interrupted;
  return failed.length === 0 ? EXIT.done : EXIT.failed;
}

class NotebookInMemory implements RunnableNotebook {
  readonly id = "run";
  readonly name: string;
  readonly folder: string;
  notebook: Notebook;

  constructor(file: string, notebook: Notebook) {
    this.name = path.basename(file);
    this.folder = path.dirname(file);
    this.notebook = notebook;
  }

  apply(ops: NotebookOp[]): number {
    this.notebook = applyOps(this.notebook, ops);
    return 0;
  }
}

async function read(file: string): Promise<ReturnType<typeof decodeNotebook>> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (cause) {
    throw new ParallaxError("run.unreadable", `${file} could not be read.`, {
      cause,
      hint: "Check the path of the notebook.",
    });
  }
  const parsed = decodeNotebook(bytes);
  if (parsed.problem !== null) {
    const { code, message, kind, hint, details } = parsed.problem;
    throw new ParallaxError(code, message, {
      kind,
      ...(hint === undefined ? {} : { hint }),
      ...(details === undefined ? {} : { details }),
    });
  }
  return parsed;
}

function printCell(cell: Cell, index: number, state: CellState, outputs: readonly Output[]): void {
  const first =
    cell.source
      .trim()
      .split("\n")
      .find((text) => !/^\s*(\/\/|import\b)/.test(text)) ?? "";
  const mark = state.state === "done" ? color.green("✓") : color.red("✕");
  const time = state.elapsedMs === null ? "" : ` ${formatDuration(state.elapsedMs)}`;
  process.stdout.write(`${mark} cell ${index + 1}${time}  ${color.dim(first.slice(0, 80))}\n`);
  for (const output of outputs) process.stdout.write(`${plainText(output).replace(/\n+$/, "")}\n`);
}

function plainText(output: Output): string {
  switch (output.output_type) {
    case "stream":
      return output.text;
    case "error":
      return `${color.red(output.ename)}: ${output.evalue}\n${output.traceback.join("\n")}`;
    case "display_data":
    case "execute_result": {
      const plain = output.data[MIME.plain];
      return typeof plain === "string" ? plain : `(${Object.keys(output.data).join(", ")})`;
    }
    default:
      return JSON.stringify(output satisfies never);
  }
}
