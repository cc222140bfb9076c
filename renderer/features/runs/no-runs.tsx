import { announce } from "../../ui/announce.ts";
import { Button } from "../../ui/button.tsx";
import { copyText } from "../../ui/clipboard.ts";
import { EmptyState } from "../../ui/empty-state.tsx";

const CODE = `import { fineTune, readTable } from "parallax";

const pairs = await readTable("pairs.jsonl"); // columns "anchor" and "positive"
await fineTune({ pairs, steps: 200, batchSize: 32, seed: 7 });`;

export function NoRuns() {
  return (
    <div className="runs-alone">
      <h1 className="visually-hidden">Runs</h1>
      <EmptyState
        title="No runs yet. A run trains an encoder on your pairs and shows its curves here."
        action={
          <Button
            tone="primary"
            onClick={() => {
              copyText(CODE).then(
                () => announce("Copied the code. Paste it into a cell."),
                (error: unknown) => announce(`Not copied: ${String(error)}`),
              );
            }}
          >
            Copy the code
          </Button>
        }
      >
        <p className="muted">Run this in a cell; the example “Start here” has pairs and needs no network.</p>
        <pre className="runs-code">
          <code>{CODE}</code>
        </pre>
      </EmptyState>
    </div>
  );
}
