import { Command } from "cmdk";
import { useEffect, useRef } from "react";
import { commands, runCommand } from "../../commands/table.ts";
import { useApp, useSelect } from "../../state/hooks.ts";
import { Kbd } from "../../ui/kbd.tsx";
import "./palette.css";

const GROUPS = ["Run", "Cell", "Kernel", "File", "View", "Help", "Move"] as const;

/** All commands by name. What cannot be done now is left out. */
export function Palette() {
  const app = useApp();
  const state = useSelect((whole) => whole);
  const dialog = useRef<HTMLDialogElement>(null);
  const close = () => app.store.dispatch({ type: "overlay.closed" });

  useEffect(() => {
    const opener = document.activeElement as HTMLElement | null;
    dialog.current?.showModal();
    dialog.current?.querySelector("input")?.focus();
    return () => {
      if (document.activeElement === document.body || document.activeElement === null) opener?.focus();
    };
  }, []);

  return (
    <dialog
      ref={dialog}
      className="palette"
      aria-label="Commands"
      onCancel={(event) => {
        event.preventDefault();
        close();
      }}
      onKeyDown={(event) => event.stopPropagation()}
      onMouseDown={(event) => {
        if (event.target === dialog.current) close();
      }}
    >
      <Command label="Commands" loop filter={score}>
        <Command.Input className="palette-input" placeholder="Type a command" />
        <Command.List className="palette-list">
          <Command.Empty className="palette-empty">No command has this name.</Command.Empty>
          {GROUPS.map((group) => {
            const rows = commands.filter(
              (command) => command.group === group && !command.keyOnly && command.enabled?.(state) !== false,
            );
            if (rows.length === 0) return null;
            return (
              <Command.Group key={group} heading={group}>
                {rows.map((command) => (
                  <Command.Item
                    key={command.id}
                    value={`${command.title} ${command.id}`}
                    onSelect={() => {
                      close();
                      // After the dialog gave the focus back.
                      setTimeout(() => runCommand(app, command.id), 0);
                    }}
                  >
                    <span>{command.title}</span>
                    {command.keys[0] && <Kbd keys={command.keys[0]} />}
                  </Command.Item>
                ))}
              </Command.Group>
            );
          })}
        </Command.List>
      </Command>
    </dialog>
  );
}

/** Every word must be there; the beginning of the title counts most, the beginning of a word more than its middle. */
function score(value: string, search: string): number {
  const text = value.toLowerCase();
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  let total = 0;
  for (const word of words) {
    const at = text.indexOf(word);
    if (at < 0) return 0;
    total += at === 0 ? 1 : text[at - 1] === " " ? 0.8 : 0.4;
  }
  return words.length === 0 ? 1 : total / words.length;
}
