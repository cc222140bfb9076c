import type { DataPreview, RunPlan, ShownRow } from "../../../kernels/protocol/run-plans.ts";
import { formatBytes, formatCount, plural } from "../../ui/numbers.ts";
import "./new-run.css";

/** The first five rows of a file as they lie there, and how they would be trained on. */
export function DataHead({ preview, plan }: { preview: DataPreview; plan: RunPlan | null }) {
  const { n, columns, rows, sizeBytes } = preview;
  const facts = [
    `${plural(n, "row")}, ${plural(columns.length, "column")}, ${formatBytes(sizeBytes)}`,
    plan === null
      ? null
      : `${formatCount(plan.n)} trained on${plan.negatives > 0 ? `, ${plural(plan.negatives, "hard negative")} each` : ""}`,
  ].filter((fact) => fact !== null);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region is reached by keyboard
    <section className="runs-rows-box" tabIndex={0} aria-label="First rows">
      <table className="runs-rows">
        <caption>{facts.join(" · ")}</caption>
        <thead>
          <tr>
            {columns.map((name) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the rows of a file have no other name
            <tr key={i}>
              {row.map((value, j) => (
                <td key={columns[j]} title={value}>
                  {value}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

/** Rows as a run trains on them. */
export function TrainingRows({ rows, n }: { rows: readonly ShownRow[]; n: number }) {
  const has = (field: "negatives" | "scores" | "group" | "task") => rows.some((row) => row[field] !== undefined);
  const columns: [string, (row: ShownRow) => string][] = [
    ["anchor", (row) => row.anchor],
    ["positive", (row) => row.positive],
    ...(has("negatives") ? [["negatives", (row: ShownRow) => (row.negatives ?? []).join(" | ")] as const] : []),
    ...(has("scores") ? [["scores", (row: ShownRow) => (row.scores ?? []).join(", ")] as const] : []),
    ...(has("group") ? [["group", (row: ShownRow) => row.group ?? "–"] as const] : []),
    ...(has("task") ? [["task", (row: ShownRow) => row.task ?? "–"] as const] : []),
  ] as [string, (row: ShownRow) => string][];
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region is reached by keyboard
    <section className="runs-rows-box" tabIndex={0} aria-label="First rows">
      <table className="runs-rows">
        <caption>
          The first {rows.length} of {plural(n, "row")}
        </caption>
        <thead>
          <tr>
            {columns.map(([name]) => (
              <th key={name} scope="col">
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: the rows of a file have no other name
            <tr key={i}>
              {columns.map(([name, read]) => (
                <td key={name} title={read(row)}>
                  {read(row)}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
