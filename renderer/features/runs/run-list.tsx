import type { KeyboardEvent, Ref } from "react";
import { runTitle } from "../../../kernels/protocol/run-files.ts";
import { RUN_GLYPHS, RUN_TONES, runWord } from "../../plot/run/run-state.tsx";
import { MARKER_GLYPHS } from "../../plot/theme.ts";
import { formatAge, formatCount } from "../../ui/numbers.ts";
import type { RunsView } from "./runs-state.ts";

interface Props {
  view: RunsView;
  onOpen(folder: string): void;
  onToggle(folder: string): void;
  ref?: Ref<HTMLUListElement>;
}

/** Runs, newest first. One Tab stop; arrows move, Space ticks, Enter opens. */
export function RunList({ view, onOpen, onToggle, ref }: Props) {
  const onKeyDown = (event: KeyboardEvent<HTMLUListElement>) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const rows = [...event.currentTarget.querySelectorAll<HTMLElement>("[data-run]")];
    const at = rows.findIndex((row) => row.contains(document.activeElement));
    const folder = rows[at]?.dataset.run;
    const steps: Record<string, number> = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      Home: 0,
      End: rows.length - 1,
      j: at + 1,
      k: at - 1,
    };
    const to = steps[event.key];
    if (to !== undefined)
      rows[Math.max(0, Math.min(rows.length - 1, to))]?.querySelector<HTMLElement>("button")?.focus();
    else if (event.key === " " && folder !== undefined) onToggle(folder);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <ul ref={ref} className="runs-list" onKeyDown={onKeyDown}>
      {view.runs.map((run) => {
        const { folder, config, status } = run;
        const word = runWord(run);
        const shown = view.shown.includes(folder);
        const open = view.open === folder;
        const slot = view.slots[folder];
        const live = word === "running" || word === "starting" || word === "stopping";
        return (
          <li key={folder} data-run={folder} className={`runs-item ${open ? "runs-open" : ""}`}>
            <input
              type="checkbox"
              className="runs-check"
              tabIndex={-1}
              checked={shown}
              aria-label={`Show the curves of ${runTitle(run)}`}
              onChange={() => onToggle(folder)}
            />
            <button
              type="button"
              className="runs-row"
              tabIndex={open ? 0 : -1}
              aria-current={open}
              onClick={() => onOpen(folder)}
            >
              <span className="runs-name">
                <span
                  className="runs-glyph"
                  style={{ color: shown && slot ? `var(--cat-${slot})` : "var(--text-faint)" }}
                  aria-hidden="true"
                >
                  {shown && slot ? MARKER_GLYPHS[slot - 1] : "·"}
                </span>
                {runTitle(run)}
                {run.label?.pinned === true && <span className="runs-pin"> base</span>}
              </span>
              <span className={`runs-word runs-${RUN_TONES[word]}`}>
                <span aria-hidden="true">{RUN_GLYPHS[word]}</span> {word}
              </span>
              <span className="runs-facts" title={config.createdAt}>
                {live
                  ? `step ${formatCount(status.step)} of ${formatCount(status.steps)}`
                  : formatAge(config.createdAt, Date.now())}
                {` · ${config.encoder.name}`}
              </span>
            </button>
          </li>
        );
      })}
    </ul>
  );
}
