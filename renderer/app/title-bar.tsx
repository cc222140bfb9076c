import { runCommand } from "../commands/table.ts";
import { useActiveDocument, useApp, useSelect } from "../state/hooks.ts";
import { activeTab } from "../state/selectors.ts";
import type { DocumentState } from "../state/types.ts";
import { MenuButton } from "../ui/menu.tsx";
import { formatBytes, formatClock } from "../ui/units.ts";

/** File and save state on the left, the kernel on the right. */
export function TitleBar() {
  const doc = useActiveDocument();
  const tab = useSelect(activeTab);
  return (
    <header className="title-bar" data-region="title" tabIndex={-1}>
      <div className="title-file">
        {doc ? (
          <>
            <strong title={doc.path ?? undefined}>{doc.name}</strong>
            <SaveState doc={doc} />
          </>
        ) : (
          <strong>{tab.kind === "runs" ? "Runs" : tab.kind === "encoders" ? "Encoders" : "Parallax"}</strong>
        )}
      </div>
      {doc && <KernelStatus doc={doc} />}
    </header>
  );
}

function SaveState({ doc }: { doc: DocumentState }) {
  const app = useApp();
  if (doc.readOnly) return <span className="faint">read-only</span>;
  if (doc.saving) return <span className="faint">saving…</span>;
  if (doc.saveError) return <span className="tone-error">✕ not saved</span>;
  if (doc.dirty || doc.savedAt === null)
    return (
      <button type="button" className="save-state" onClick={() => runCommand(app, "notebook.save")} title="Save">
        • {doc.path === null ? "never saved" : "not saved"}
      </button>
    );
  return <span className="faint tabular">saved {formatClock(doc.savedAt)}</span>;
}

const GLYPHS: Record<DocumentState["kernel"]["state"], [glyph: string, tone: string]> = {
  none: ["○", "tone-idle"],
  starting: ["◌", "tone-busy"],
  ready: ["●", "tone-ok"],
  busy: ["◐", "tone-busy"],
  interrupting: ["◌", "tone-busy"],
  restarting: ["◌", "tone-busy"],
  stopped: ["■", "tone-error"],
};

function KernelStatus({ doc }: { doc: DocumentState }) {
  const app = useApp();
  const { kernel } = doc;
  const [glyph, tone] = GLYPHS[kernel.state];
  const word = kernel.state === "none" ? "not started" : kernel.state;
  const details = [
    kernel.memoryBytes === null ? null : formatBytes(kernel.memoryBytes),
    ...kernel.encoders.slice(0, 2),
    kernel.encoders.length > 2 ? `+ ${kernel.encoders.length - 2} encoders` : null,
  ].filter((part) => part !== null);
  return (
    <div className="kernel-status">
      {/* Spoken when it changes, but without memory, which changes all the time. */}
      <span role="status" className="visually-hidden">
        Kernel {word}
      </span>
      <span aria-hidden="true" className="kernel-line tabular">
        <span className="muted">kernel</span>{" "}
        <span className={tone}>
          {glyph} {word}
        </span>
        {details.map((part) => (
          <span key={part} className="muted">
            {" "}
            · {part}
          </span>
        ))}
      </span>
      <MenuButton
        icon="more"
        label="Kernel"
        items={() => [
          {
            id: "interrupt",
            label: "Interrupt",
            keys: "I I",
            disabled: kernel.state !== "busy",
            onSelect: () => runCommand(app, "kernel.interrupt"),
          },
          { id: "restart", label: "Restart…", keys: "0 0", onSelect: () => runCommand(app, "kernel.restart") },
          {
            id: "restart-all",
            label: "Restart and run all…",
            onSelect: () => runCommand(app, "kernel.restart-run-all"),
          },
          {
            id: "shutdown",
            label: "Shut down",
            disabled: kernel.state === "none",
            onSelect: () => runCommand(app, "kernel.shutdown"),
          },
          { kind: "separator", id: "s" },
          { id: "variables", label: "Variables", keys: "Mod+J", onSelect: () => runCommand(app, "view.variables") },
        ]}
      />
    </div>
  );
}
