import type { CellState } from "../../../kernels/protocol/host-methods.ts";
import { stateWords } from "./cell-words.ts";
import { useNow } from "./use-ticking.ts";

interface GutterProps {
  state: CellState;
  executionCount: number | null;
}

/** Left of the code: execution count, and below it the state as glyph, word and time. */
export function CellGutter({ state, executionCount }: GutterProps) {
  const running = state.state === "running";
  const now = useNow(running);
  const elapsed =
    running && state.startedAt !== null ? Math.max(0, now - Date.parse(state.startedAt)) : state.elapsedMs;
  const words = stateWords(state, executionCount, elapsed);
  const busy = running || state.state === "queued";
  return (
    <div className="cell-gutter">
      <span className="cell-count">[{busy ? "*" : (executionCount ?? " ")}]</span>
      {words.word !== "" && (
        <span className={`cell-state tone-${words.tone}`}>
          <span aria-hidden="true" className={running ? "spin" : ""}>
            {words.glyph}
          </span>{" "}
          {words.word}
        </span>
      )}
    </div>
  );
}
