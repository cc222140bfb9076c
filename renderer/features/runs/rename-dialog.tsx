import { type FormEvent, useContext, useId, useState } from "react";
import { type ErrorData, toErrorData } from "../../../kernels/protocol/errors.ts";
import { type RunSummary, runTitle } from "../../../kernels/protocol/run-files.ts";
import { AppContext } from "../../state/hooks.ts";
import { announce } from "../../ui/announce.ts";
import { Button } from "../../ui/button.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { ErrorBlock } from "../../ui/error-block.tsx";

export function RenameDialog({ run, onClose }: { run: RunSummary; onClose(): void }) {
  const app = useContext(AppContext);
  const id = useId();
  const [name, setName] = useState(runTitle(run));
  const [error, setError] = useState<ErrorData | null>(null);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (app === null) return;
    const given = name.trim() === run.config.name ? "" : name.trim();
    app.client.call("runs.label", { folder: run.folder, name: given }).then(
      ({ run: now }) => {
        announce(`The run is called ${runTitle(now)}.`);
        onClose();
      },
      (reason: unknown) => setError(toErrorData(reason)),
    );
  };
  return (
    <Dialog
      title="Rename the run"
      onClose={onClose}
      actions={
        <>
          <Button size="large" onClick={onClose}>
            Cancel
          </Button>
          <Button size="large" tone="primary" type="submit" form={id}>
            Rename
          </Button>
        </>
      }
    >
      <form id={id} onSubmit={submit}>
        <label className="type-label" htmlFor={`${id}-name`}>
          Name
        </label>
        <input
          id={`${id}-name`}
          className="field"
          data-autofocus
          maxLength={80}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
        />
        <p className="type-caption">Its folder keeps its name. Empty: {run.config.name} again.</p>
        {error && <ErrorBlock error={error} title="Not renamed" />}
      </form>
    </Dialog>
  );
}
