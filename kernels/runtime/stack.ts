/**
 * Errors as the user should see them: their own frames with cell, line and column, library frames apart, messages in
 * the words of their code.
 */
import path from "node:path";
import { fileURLToPath } from "node:url";
import { isCancelled, ParallaxError, toErrorData } from "../protocol/errors.ts";
import type { CellError, CellFrame } from "../protocol/kernel-messages.ts";
import type { CompiledCell } from "./compile-cell.ts";
import { localPosition } from "./local-modules.ts";
import type { Position } from "./position-map.ts";
import { SCOPE_TAG } from "./scope.ts";

/** A cell as it was when it ran: what its code's positions mean. */
export interface RanCell {
  cellId: string;
  executionCount: number;
  compiled: CompiledCell;
}

/** Old cells whose functions still live are looked up too; beyond this many the oldest lose their lines. */
const KEPT = 2000;
const MAX_FRAMES = 30;

export class CellStacks {
  readonly #cells = new Map<string, RanCell>();
  readonly #frames = new WeakMap<object, CellFrame[]>();
  readonly #root: string;

  /** @param root  our own package's folder: its frames are folded away. */
  constructor(root: string) {
    this.#root = root;
  }

  /** From now on stacks of this process name cells instead of generated code. */
  install(): void {
    Error.stackTraceLimit = 50;
    Error.prepareStackTrace = (error, sites) => this.#prepare(error, sites);
  }

  add(filename: string, cell: RanCell): void {
    this.#cells.set(filename, cell);
    if (this.#cells.size > KEPT) this.#cells.delete(this.#cells.keys().next().value!);
  }

  #prepare(error: Error, sites: NodeJS.CallSite[]): string {
    const frames: CellFrame[] = [];
    const lines: string[] = [];
    /** Below the outermost frame of a cell there is only what started the cell. */
    let lastOfCell = -1;
    for (const site of sites) {
      const cell = this.#cells.get(site.getFileName() ?? "");
      const position = cell?.compiled.positions.fromGenerated(site.getLineNumber() ?? 1, site.getColumnNumber() ?? 1);
      if (cell !== undefined) {
        // Code of a cell without a position is what we wrapped around it.
        if (position === undefined) continue;
        const functionName = site.getFunctionName();
        frames.push({
          cellId: cell.cellId,
          executionCount: cell.executionCount,
          ...position,
          ...(functionName ? { functionName } : {}),
        });
        const place = `Cell [${cell.executionCount}]:${position.line}:${position.column}`;
        lines.push(functionName ? `    at ${functionName} (${place})` : `    at ${place}`);
        lastOfCell = lines.length - 1;
        continue;
      }
      lines.push(`    at ${localFrame(site) ?? site.toString()}`);
    }
    if (lastOfCell >= 0) lines.length = lastOfCell + 1;
    this.#frames.set(error, frames);
    let head: string;
    try {
      head = Error.prototype.toString.call(error);
    } catch {
      head = "Error";
    }
    return [this.#plainWords(head), ...lines].join("\n");
  }

  /** Cells' frames of an error, innermost first. */
  framesOf(error: unknown): CellFrame[] {
    if (typeof error !== "object" || error === null) return [];
    const found = this.#frames.get(error);
    if (found) return found;
    // Stacks are rendered when first read.
    void readText(error, "stack");
    return this.#frames.get(error) ?? [];
  }

  /**
   * @param at  where the cell was when the error carries no frame of it: the await that it stood at
   */
  toCellError(error: unknown, at?: { cell: RanCell; position: Position }): CellError {
    const frames = this.framesOf(error).slice(0, MAX_FRAMES);
    if (frames.length === 0 && at !== undefined && !isCancelled(error))
      frames.push({ cellId: at.cell.cellId, executionCount: at.cell.executionCount, ...at.position });
    const data = safeErrorData(error);
    const stack = data.stack ?? [];
    return {
      error: {
        ...data,
        ...(error instanceof ParallaxError || data.kind === "cancelled"
          ? {}
          : { code: "cell.threw", kind: "user" as const, ...hintFor(error) }),
        message: this.#plainWords(data.message),
        stack,
      },
      name: nameOf(error),
      frames,
      // Where we noticed that the user stopped the cell, or that it does not parse, is nobody's business.
      libraryFrames: data.kind === "cancelled" || data.code.startsWith("cell.") ? [] : this.#libraryFrames(stack),
    };
  }

  /** Frames that are not the user's. */
  #libraryFrames(stack: readonly string[]): string[] {
    return stack
      .map((line) => line.trim().replace(/^at /, ""))
      .filter((line) => !/Cell \[\d+\]:\d+:\d+\)?$/.test(line) && !line.startsWith("process.processTicks"))
      .map((line) => line.replace(`file://${this.#root}${path.sep}`, "").replace(`${this.#root}${path.sep}`, ""))
      .slice(0, MAX_FRAMES);
  }

  /** Engine messages quote the code that ran: "$cells.f is not a function". */
  #plainWords(message: string): string {
    return message
      .replace(/\(0 ?, ?\$cells_*\.([\p{ID_Continue}$]+)\)/gu, "$1")
      .replace(/\$cells_*\.([\p{ID_Continue}$]+)/gu, "$1")
      .replace(
        new RegExp(
          `^((?:TypeError: )?)Cannot assign to read only property '([^']+)' of object '\\[object ${SCOPE_TAG}\\]'`,
        ),
        "$1Assignment to constant variable '$2'",
      )
      .replace(
        new RegExp(
          `^((?:TypeError: )?)Cannot set property (\\S+) of \\[object ${SCOPE_TAG}\\] which has only a getter`,
        ),
        "$1Assignment to the imported name '$2'",
      );
  }
}

/** A frame in a TypeScript file beside the notebook, with its own line. */
function localFrame(site: NodeJS.CallSite): string | undefined {
  const url = site.getFileName() ?? "";
  if (!url.startsWith("file:") || !url.includes("?parallax=")) return undefined;
  const file = fileURLToPath(url.replace(/\?.*$/, ""));
  const position = localPosition(file, site.getLineNumber() ?? 1, site.getColumnNumber() ?? 1);
  const name = site.getFunctionName();
  const place = `${file}:${position.line}:${position.column}`;
  return name ? `${name} (${place})` : place;
}

function readText(value: object, name: string): string | undefined {
  try {
    const text: unknown = (value as Record<string, unknown>)[name];
    return typeof text === "string" ? text : undefined;
  } catch {
    return undefined;
  }
}

function nameOf(error: unknown): string {
  if (error instanceof Error) {
    const maker = error.constructor;
    const own = readText(error, "name") ?? "Error";
    return own === "Error" && typeof maker === "function" && maker.name !== "" ? maker.name : own;
  }
  return "Thrown value";
}

function safeErrorData(error: unknown): ReturnType<typeof toErrorData> {
  try {
    const data = toErrorData(error);
    return { ...data, message: String(data.message) };
  } catch {
    // Fields that throw when read, or an error that is its own cause.
    const message = typeof error === "object" && error !== null ? readText(error, "message") : undefined;
    return { code: "cell.threw", kind: "user", message: message ?? "A value was thrown that cannot be read." };
  }
}

/** One next step for the mistakes that notebooks see most. */
function hintFor(error: unknown): { hint: string } | Record<string, never> {
  if (!(error instanceof ReferenceError)) return {};
  const message = readText(error, "message") ?? "";
  const undefinedName = /^(\S+) is not defined$/.exec(message)?.[1];
  if (undefinedName) return { hint: `Run the cell that defines \`${undefinedName}\` first, or check its spelling.` };
  const unset = /^Cannot access '(\S+)' before initialization$/.exec(message)?.[1];
  if (unset)
    return { hint: `\`${unset}\` is declared further down, or the cell that declares it stopped before that line.` };
  return {};
}
