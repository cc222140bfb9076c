/** Random notebooks and operations for property tests. */
import fc from "fast-check";
import type { Cell, JsonObject, Notebook, NotebookOp, Output } from "../../notebooks/format/model.ts";

/** Texts with line ends of all kinds, quotes, non-ASCII, lone surrogates and NUL. */
export const text = fc
  .array(fc.constantFrom("a", "b", " ", "\n", "\r\n", '"', "\\", "é", "한", "\u2028", "\ud800", "\0", "😀"), {
    maxLength: 12,
  })
  .map((parts) => parts.join(""));

export const jsonObject = fc.dictionary(
  fc.constantFrom("a", "tags", "parallax", "collapsed", "__x__", "名"),
  fc.jsonValue({ maxDepth: 2 }),
  { maxKeys: 3 },
) as fc.Arbitrary<JsonObject>;

const displayMetadata = fc
  .option(fc.constantFrom("d1", "d2"), { nil: undefined })
  .map((displayId): JsonObject => (displayId === undefined ? {} : { parallax: { displayId } }));

export const output: fc.Arbitrary<Output> = fc.oneof(
  fc.record({
    output_type: fc.constant("stream" as const),
    name: fc.constantFrom("stdout" as const, "stderr" as const),
    text,
  }),
  fc.record({
    output_type: fc.constant("display_data" as const),
    data: fc.record({ "text/plain": text, "application/vnd.parallax.value+json": jsonObject as fc.Arbitrary<unknown> }),
    metadata: displayMetadata,
  }),
  fc.record({
    output_type: fc.constant("execute_result" as const),
    data: fc.record({ "text/html": text, "image/png": fc.constant("iVBORw0KGgo=") }),
    metadata: displayMetadata,
    execution_count: fc.option(fc.nat(99), { nil: null }),
  }),
  fc.record({
    output_type: fc.constant("error" as const),
    ename: fc.constant("TypeError"),
    evalue: text,
    traceback: fc.array(text, { maxLength: 2 }),
  }),
);

const common = { source: text, metadata: jsonObject };
function cell(id: string): fc.Arbitrary<Cell> {
  const code = fc.record({
    id: fc.constant(id),
    cell_type: fc.constant("code" as const),
    ...common,
    execution_count: fc.option(fc.nat(99), { nil: null }),
    outputs: fc.array(output, { maxLength: 3 }),
  });
  const prose = fc.record({
    id: fc.constant(id),
    cell_type: fc.constantFrom("markdown" as const, "raw" as const),
    ...common,
  });
  return fc.oneof(code, prose) as fc.Arbitrary<Cell>;
}

export const ids = ["c1", "c2", "c3", "c4", "c5"];
export const anyCell = fc.constantFrom(...ids, "n1", "n2").chain(cell);

export const notebook: fc.Arbitrary<Notebook> = fc
  .record({ metadata: jsonObject, cells: fc.tuple(...ids.map(cell)), n: fc.nat(ids.length) })
  .map(({ metadata, cells, n }) => ({ nbformat: 4, nbformat_minor: 5, metadata, cells: cells.slice(0, n) }));

const cellId = fc.constantFrom(...ids, "n1", "gone");
const typed = <T extends NotebookOp["type"]>(type: T) => fc.constant(type);

export const op: fc.Arbitrary<NotebookOp> = fc.oneof(
  fc.record({ type: typed("insert-cell"), index: fc.integer({ min: -1, max: 7 }), cell: anyCell }),
  fc.record({ type: typed("delete-cell"), cellId }),
  fc.record({ type: typed("move-cell"), cellId, index: fc.integer({ min: -1, max: 7 }) }),
  fc.record({ type: typed("set-source"), cellId, source: text }),
  fc.record({
    type: typed("set-cell-type"),
    cellId,
    cellType: fc.constantFrom("code" as const, "markdown" as const, "raw" as const),
  }),
  fc.record({ type: typed("set-cell-metadata"), cellId, metadata: jsonObject }),
  fc.record({ type: typed("set-notebook-metadata"), metadata: jsonObject }),
  fc.record({
    type: typed("set-outputs"),
    cellId,
    outputs: fc.array(output, { maxLength: 2 }),
    executionCount: fc.option(fc.nat(9), { nil: null }),
  }),
  fc.record({ type: typed("append-output"), cellId, output }),
  fc.record({
    type: typed("append-stream"),
    cellId,
    name: fc.constantFrom("stdout" as const, "stderr" as const),
    text,
  }),
  fc.record({
    type: typed("update-display"),
    displayId: fc.constantFrom("d1", "d2"),
    data: fc.record({ "text/plain": text }),
    metadata: displayMetadata,
  }),
  fc.record({ type: typed("set-execution-count"), cellId, executionCount: fc.option(fc.nat(9), { nil: null }) }),
) as fc.Arbitrary<NotebookOp>;
