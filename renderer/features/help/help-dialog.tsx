import { Fragment } from "react";
import { commands } from "../../commands/table.ts";
import { useApp } from "../../state/hooks.ts";
import { Dialog } from "../../ui/dialog.tsx";
import { Kbd, keyText } from "../../ui/kbd.tsx";
import "./help.css";

const GROUPS = ["Run", "Cell", "Move", "Kernel", "File", "View", "Help"] as const;

/** All keys by group, made from the table of commands. Reads well aloud: key, then what it does. */
export function HelpDialog() {
  const app = useApp();
  return (
    <Dialog title="Keys" width={880} onClose={() => app.store.dispatch({ type: "overlay.closed" })}>
      <p className="muted help-intro">
        In command mode, single letters act on the selected cell. Enter edits it, Escape comes back. F6 goes from region
        to region.
      </p>
      <div className="help-groups">
        {GROUPS.map((group) => {
          const rows = commands.filter((command) => command.group === group && command.keys.length > 0);
          return (
            <section key={group} aria-labelledby={`help-${group}`}>
              <h3 id={`help-${group}`} className="type-label">
                {group}
              </h3>
              <dl>
                {rows.map((command) => (
                  <Fragment key={command.id}>
                    <dt>
                      {distinct(command.keys).map((keys, i) => (
                        <Fragment key={keys}>
                          {i > 0 && " "}
                          <Kbd keys={keys} />
                        </Fragment>
                      ))}
                    </dt>
                    <dd>{command.title}</dd>
                  </Fragment>
                ))}
              </dl>
            </section>
          );
        })}
      </div>
    </Dialog>
  );
}

/** Mod+Enter and Ctrl+Enter are one key where there is no command key. */
function distinct(keys: readonly string[]): string[] {
  return keys.filter((one, i) => keys.findIndex((other) => keyText(other) === keyText(one)) === i);
}
