import { useContext, useState } from "react";
import { AppContext } from "../../state/hooks.ts";
import { announce } from "../../ui/announce.ts";
import { Button } from "../../ui/button.tsx";
import { copyText } from "../../ui/clipboard.ts";
import { EmptyState } from "../../ui/empty-state.tsx";
import { runSample, type WrittenCell } from "./write-cell.ts";

const CODE = `import { fineTune, readTable } from "parallax";

const pairs = await readTable("pairs.jsonl"); // columns "anchor" and "positive"
await fineTune({ pairs, steps: 200, batchSize: 32, seed: 7 });`;

interface Props {
  onNew(): void;
  onStarted(cell: WrittenCell): void;
}

export function NoRuns({ onNew, onStarted }: Props) {
  const app = useContext(AppContext);
  const [busy, setBusy] = useState(false);
  return (
    <div className="runs-alone">
      <h1 className="visually-hidden">Runs</h1>
      <EmptyState
        title="No runs yet. A run trains an encoder on your pairs and shows its curves here."
        action={
          <>
            <Button
              tone="primary"
              disabled={busy}
              onClick={() => {
                if (app === null) return;
                setBusy(true);
                runSample(app)
                  .then(
                    (cell) => {
                      if (cell !== null) onStarted(cell);
                    },
                    (error: unknown) => app.report(error),
                  )
                  .finally(() => setBusy(false));
              }}
            >
              Try 300 sample pairs, 1 min
            </Button>
            <Button onClick={onNew}>New run…</Button>
            <Button
              onClick={() => {
                copyText(CODE).then(
                  () => announce("Copied the code. Paste it into a cell."),
                  (error: unknown) => announce(`Not copied: ${String(error)}`),
                );
              }}
            >
              Copy the code
            </Button>
          </>
        }
      >
        <p className="muted">
          The sample needs no network: it opens the example “Start here” and runs a cell in it. Or run this in a cell:
        </p>
        <pre className="runs-code">
          <code>{CODE}</code>
        </pre>
      </EmptyState>
    </div>
  );
}
