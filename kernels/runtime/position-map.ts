/** Positions in the code that runs, led back through both rewritings to line and column of the cell. */
import { LEAST_UPPER_BOUND, originalPositionFor, type SourceMapInput, TraceMap } from "@jridgewell/trace-mapping";
import type MagicString from "magic-string";

/** Counted from 1, as editors show them. */
export interface Position {
  line: number;
  column: number;
}

/** Line and column of an offset. */
export function locate(source: string, offset: number): Position {
  const before = source.slice(0, Math.max(0, offset));
  const line = before.split("\n").length;
  return { line, column: before.length - before.lastIndexOf("\n") };
}

export class PositionMap {
  readonly #source: string;
  readonly #js: string;
  readonly #transform: object | undefined;
  #text: MagicString | undefined;
  #toJs: TraceMap | undefined;
  #toSource: TraceMap | undefined;

  /**
   * @param source     what the user wrote
   * @param js         the same without types
   * @param transform  source map from `js` to `source`, undefined when they are the same
   */
  constructor(source: string, js: string, transform: object | undefined) {
    this.#source = source;
    this.#js = js;
    this.#transform = transform;
  }

  /** The second rewriting, from JavaScript to the code that runs. Its map is made when a position is first asked for. */
  generatedBy(text: MagicString): void {
    this.#text = text;
  }

  /** An offset of the JavaScript. */
  fromJs(offset: number): Position {
    const { line, column } = locate(this.#js, offset);
    return this.#original(line, column - 1);
  }

  /** A position of the code that runs, line and column from 1. Undefined for code that has no source (our own). */
  fromGenerated(line: number, column: number): Position | undefined {
    if (this.#text === undefined) return undefined;
    this.#toJs ??= new TraceMap(JSON.parse(this.#text.generateMap({ hires: "boundary" }).toString()));
    let js = originalPositionFor(this.#toJs, { line, column: column - 1 });
    // Inside what we put before an expression: the engine blames the call around it.
    if (js.line === null) js = originalPositionFor(this.#toJs, { line, column: column - 1, bias: LEAST_UPPER_BOUND });
    return js.line === null ? undefined : this.#original(js.line, js.column);
  }

  /** @param column  from 0 */
  #original(line: number, column: number): Position {
    if (this.#transform === undefined) return { line, column: column + 1 };
    this.#toSource ??= new TraceMap(this.#transform as SourceMapInput);
    const found = originalPositionFor(this.#toSource, { line, column });
    if (found.line === null) return { line: Math.min(line, this.#source.split("\n").length), column: column + 1 };
    return { line: found.line, column: found.column + 1 };
  }
}
