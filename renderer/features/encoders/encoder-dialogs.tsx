/** The questions of the encoders screen: remove, and where encoders come from. */
import { useId, useState } from "react";
import type { EncoderEntry, EncoderSettings } from "../../../kernels/protocol/encoders.ts";
import { type ErrorData, toErrorData } from "../../../kernels/protocol/errors.ts";
import { announce } from "../../ui/announce.ts";
import { Button } from "../../ui/button.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { ErrorBlock } from "../../ui/error-block.tsx";
import { formatDiskBytes } from "../../ui/units.ts";
import { hubHost } from "./encoder-words.ts";
import type { EncodersActions } from "./use-encoders.ts";

export function RemoveDialog({ entry, onRemove, onClose }: RemoveProps) {
  const { name, source, usedBy, sizeBytes } = entry;
  const folder = source === "folder";
  return (
    <Dialog
      title={folder ? `Take ${name} off the list?` : `Remove ${name}?`}
      onClose={onClose}
      actions={
        <>
          <Button size="large" data-autofocus onClick={onClose}>
            Keep it
          </Button>
          <Button
            size="large"
            tone="danger"
            onClick={() => {
              onClose();
              onRemove();
            }}
          >
            {folder ? "Take it off" : `Remove${sizeBytes === null ? "" : `, free ${formatDiskBytes(sizeBytes)}`}`}
          </Button>
        </>
      }
    >
      <div className="enc-form">
        <p>
          {folder
            ? `The folder ${entry.id} and its files stay as they are.`
            : "Its files leave this computer. It can be downloaded again."}
        </p>
        {usedBy.length === 0 ? (
          <p>No run and no notebook that Parallax knows depends on it.</p>
        ) : (
          <>
            <p>
              <strong>{usedBy.length === 1 ? "1 thing depends on it" : `${usedBy.length} things depend on it`}</strong>
              {folder ? ", and still finds it by its path:" : ", and cannot load it until it is here again:"}
            </p>
            <ul className="enc-uses">
              {usedBy.map((use) => (
                <li key={use.path} title={use.path}>
                  <span className="muted">{use.kind}</span> {use.name}
                </li>
              ))}
            </ul>
          </>
        )}
      </div>
    </Dialog>
  );
}
interface RemoveProps {
  entry: EncoderEntry;
  onRemove(): void;
  onClose(): void;
}

const SAID_BY: Record<string, string> = {
  HF_ENDPOINT: "The variable HF_ENDPOINT says so.",
  default: "The default.",
  setting: "Your setting.",
};

export function HubSettingsDialog({ settings, actions, onClose }: SettingsProps) {
  const id = useId();
  const [mirror, setMirror] = useState(settings.mirror ?? "");
  const [token, setToken] = useState("");
  const [error, setError] = useState<ErrorData | null>(null);
  const attempt = (work: Promise<void>, said: string) => {
    setError(null);
    work.then(
      () => announce(said),
      (reason: unknown) => setError(toErrorData(reason)),
    );
  };
  const forced = settings.offlineFrom === "PARALLAX_OFFLINE" || settings.offlineFrom === "HF_HUB_OFFLINE";
  const { present, keptIn, where, goesTo, problem } = settings.token;
  return (
    <Dialog title="Where encoders come from" width={600} onClose={onClose}>
      <div className="enc-form">
        {error && <ErrorBlock error={error} title="Not saved" />}
        <form
          onSubmit={(event) => {
            event.preventDefault();
            attempt(
              actions.saveSettings({ mirror: mirror.trim() === "" ? null : mirror.trim() }),
              "Saved the address.",
            );
          }}
        >
          <label className="type-label" htmlFor={`${id}-mirror`}>
            Address of a mirror
          </label>
          <div className="enc-line">
            <input
              id={`${id}-mirror`}
              className="field"
              type="url"
              value={mirror}
              spellCheck={false}
              placeholder="https://huggingface.co"
              aria-describedby={`${id}-mirror-help`}
              onChange={(event) => setMirror(event.currentTarget.value)}
            />
            <Button size="large" type="submit" disabled={mirror.trim() === (settings.mirror ?? "")}>
              Save
            </Button>
          </div>
          <p id={`${id}-mirror-help`} className="type-caption">
            In use: {settings.endpoint}. {SAID_BY[settings.endpointFrom]} Empty for the default.
          </p>
        </form>
        <div>
          <label className="enc-check">
            <input
              type="checkbox"
              checked={settings.offline}
              disabled={forced}
              aria-describedby={`${id}-offline-help`}
              onChange={(event) => {
                const offline = event.currentTarget.checked;
                attempt(actions.saveSettings({ offline }), offline ? "Offline." : "Online.");
              }}
            />
            <span className="type-label">Work offline</span>
          </label>
          <p id={`${id}-offline-help`} className="type-caption">
            {forced
              ? `The variable ${settings.offlineFrom} says so.`
              : "No connection is tried at all. Encoders that are here work as before."}
          </p>
        </div>
        <form
          onSubmit={(event) => {
            event.preventDefault();
            const value = token.trim();
            if (value === "") return;
            // It is not kept on the page, whatever comes of it.
            setToken("");
            attempt(actions.saveToken(value), "The token is kept. It is not shown again.");
          }}
        >
          <label className="type-label" htmlFor={`${id}-token`}>
            Token for private and gated models
          </label>
          <div className="enc-line">
            <input
              id={`${id}-token`}
              className="field"
              type="password"
              autoComplete="off"
              value={token}
              placeholder={present ? "A token is set; a new one takes its place" : "hf_…"}
              aria-describedby={`${id}-token-help`}
              onChange={(event) => setToken(event.currentTarget.value)}
            />
            <Button size="large" type="submit" disabled={token.trim() === ""}>
              Save
            </Button>
            <Button
              size="large"
              disabled={keptIn === "none" || keptIn === "HF_TOKEN"}
              onClick={() => attempt(actions.saveToken(null), "The token is forgotten.")}
            >
              Forget
            </Button>
          </div>
          <p id={`${id}-token-help`} className="type-caption">
            {present
              ? `✓ A token is set, kept in ${where}. It is never shown again, `
              : `${keptIn === "none" ? `${where.charAt(0).toUpperCase()}${where.slice(1)}` : "No token is in use"}. One that you save is kept in ${goesTo}, `}
            and never written to notebooks, logs or runs; it goes to {hubHost(settings)} only.
            {present && keptIn === "file" && !where.startsWith(goesTo) && ` A new one is kept in ${goesTo}.`}
            {keptIn === "HF_TOKEN" && " To change it, set the variable HF_TOKEN before Parallax starts."}
          </p>
          {problem && <ErrorBlock error={problem} tone="warning" />}
        </form>
      </div>
    </Dialog>
  );
}
interface SettingsProps {
  settings: EncoderSettings;
  actions: EncodersActions;
  onClose(): void;
}
