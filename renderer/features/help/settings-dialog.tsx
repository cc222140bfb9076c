import type { Settings } from "../../../kernels/protocol/host-methods.ts";
import { useApp, useSelect } from "../../state/hooks.ts";
import { Dialog } from "../../ui/dialog.tsx";
import "./help.css";

/** Applied at once; the host keeps them. */
export function SettingsDialog() {
  const app = useApp();
  const settings = useSelect((state) => state.settings);
  const cores = useSelect((state) => state.hello?.cores ?? 1);
  const set = async (change: Partial<Settings>) => {
    app.store.dispatch({ type: "settings.changed", settings: { ...settings, ...change } });
    const saved = await app.attempt("settings.set", change);
    app.store.dispatch({ type: "settings.changed", settings: saved ?? settings });
  };
  return (
    <Dialog title="Settings" width={560} onClose={() => app.store.dispatch({ type: "overlay.closed" })}>
      <div className="settings">
        <Choice
          name="theme"
          legend="Theme"
          help="System follows the computer's own setting."
          options={["system", "light", "dark"]}
          value={settings.theme}
          onChange={(theme) => void set({ theme })}
        />
        <Choice
          name="density"
          legend="Density"
          help="Compact makes rows and gaps lower; type stays the same."
          options={["comfortable", "compact"]}
          value={settings.density}
          onChange={(density) => void set({ density })}
        />
        <div className="setting">
          <label className="type-label" htmlFor="setting-threads">
            Threads
          </label>
          <div className="setting-control">
            <input
              id="setting-threads"
              className="field threads tabular"
              type="number"
              min={1}
              max={Math.min(64, cores)}
              value={settings.threads}
              aria-describedby="setting-threads-help"
              onChange={(event) => {
                const threads = Number(event.currentTarget.value);
                if (Number.isInteger(threads) && threads >= 1 && threads <= 64) void set({ threads });
              }}
            />
            <span className="muted">of {cores}</span>
          </div>
          <p id="setting-threads-help" className="type-caption">
            For encoding and training. Kernels that run keep theirs until they are restarted.
          </p>
        </div>
      </div>
    </Dialog>
  );
}

interface ChoiceProps<T extends string> {
  name: string;
  legend: string;
  help: string;
  options: readonly T[];
  value: T;
  onChange(value: T): void;
}

function Choice<T extends string>({ name, legend, help, options, value, onChange }: ChoiceProps<T>) {
  return (
    <fieldset className="setting" aria-describedby={`setting-${name}-help`}>
      <legend className="type-label">{legend}</legend>
      <div className="setting-control segmented">
        {options.map((option) => (
          <label key={option} className={option === value ? "chosen" : ""}>
            <input type="radio" name={name} checked={option === value} onChange={() => onChange(option)} />
            {option[0]?.toUpperCase() + option.slice(1)}
          </label>
        ))}
      </div>
      <p id={`setting-${name}-help`} className="type-caption">
        {help}
      </p>
    </fieldset>
  );
}
