/** The frame around every picture: table twin, copy and save. */
import { type ReactNode, useId, useState } from "react";
import { announce } from "../ui/announce.ts";
import { Button } from "../ui/button.tsx";
import { copyBlob, copyText, saveBlob } from "../ui/clipboard.ts";
import { DataTable, type TableData } from "../ui/data-table.tsx";
import { TextMenuButton } from "../ui/menu-button.tsx";
import { toCsv } from "../ui/numbers.ts";
import "./plot.css";

export interface FigureExports {
  /** File name without ending. */
  fileName: string;
  png: () => Promise<Blob>;
  svg: () => string | Promise<string>;
  table: () => TableData;
}

interface Props {
  label: string;
  exports: FigureExports;
  children: ReactNode;
  /** Left side of the bar. */
  controls?: ReactNode;
  /** Controlled table twin; the frame holds its own state without. */
  asTable?: boolean;
  onAsTable?: (asTable: boolean) => void;
  /** Replaces the plain twin, e.g. with row selection. */
  twin?: ReactNode;
}

export function FigureFrame({ label, exports, children, controls, asTable, onAsTable, twin }: Props) {
  const [own, setOwn] = useState(false);
  const shown = asTable ?? own;
  const id = useId();
  const set = (value: boolean) => {
    setOwn(value);
    onAsTable?.(value);
  };
  return (
    <section className="plot-frame" aria-label={label}>
      <div className="plot-bar">
        {controls}
        <span className="plot-bar-space" />
        <Button
          size="small"
          tone="quiet"
          className="plot-toggle"
          aria-pressed={shown}
          aria-controls={id}
          onClick={() => set(!shown)}
          aria-label="Show as table"
          title="Show as table"
        >
          Table
        </Button>
        <FigureMenu exports={exports} />
      </div>
      <div id={id}>
        {/* The picture stays mounted: its state and its exports survive a look at the table. */}
        <div hidden={shown}>{children}</div>
        {shown && (twin ?? <DataTable label={`${label}, as a table`} table={exports.table()} />)}
      </div>
    </section>
  );
}

export function FigureMenu({ exports }: { exports: FigureExports }) {
  const { fileName } = exports;
  const csv = () => {
    const table = exports.table();
    return toCsv(
      table.columns.map((column) => column.name),
      table.rows,
    );
  };
  const item = (id: string, label: string, work: () => Promise<void>, done: string) => ({
    id,
    label,
    onSelect: () => {
      work().then(
        () => announce(done),
        (error: unknown) => announce(`${label} failed: ${error instanceof Error ? error.message : String(error)}.`),
      );
    },
  });
  const saveText = async (text: string, type: string, ending: string) =>
    saveBlob(new Blob([text], { type }), `${fileName}.${ending}`);
  return (
    <TextMenuButton
      label="Save"
      name="Copy or save"
      items={() => [
        item("copy-png", "Copy as PNG", async () => copyBlob(await exports.png()), "Copied the picture."),
        item("copy-svg", "Copy as SVG", async () => copyText(await exports.svg()), "Copied the SVG."),
        item("copy-csv", "Copy as CSV", async () => copyText(csv()), "Copied the table."),
        { kind: "separator", id: "line" },
        item("save-png", "Save as PNG", async () => saveBlob(await exports.png(), `${fileName}.png`), "Saved the PNG."),
        item(
          "save-svg",
          "Save as SVG",
          async () => saveText(await exports.svg(), "image/svg+xml", "svg"),
          "Saved the SVG.",
        ),
        item("save-csv", "Save as CSV", async () => saveText(csv(), "text/csv", "csv"), "Saved the CSV."),
      ]}
    />
  );
}
