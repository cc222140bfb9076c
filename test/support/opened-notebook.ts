/** A notebook as the host opens it: one code cell a source; "# …" makes a text cell. */
import type { OpenedNotebook } from "../../kernels/protocol/host-methods.ts";

export function openedNotebook(sources: string[], more: Partial<OpenedNotebook> = {}): OpenedNotebook {
  const cells = sources.map((source, i) =>
    source.startsWith("#")
      ? { id: `c${i + 1}`, cell_type: "markdown", source, metadata: {} }
      : { id: `c${i + 1}`, cell_type: "code", source, metadata: {}, execution_count: null, outputs: [] },
  );
  return {
    docId: "doc",
    path: "x.ipynb",
    name: "x.ipynb",
    notebook: { nbformat: 4, nbformat_minor: 5, metadata: {}, cells },
    revision: 0,
    dirty: false,
    savedAt: null,
    readOnly: false,
    problem: null,
    recovered: false,
    kernel: { state: "none", exit: null, startedAt: null, memoryBytes: null, encoders: [] },
    cells: [],
    ...more,
  };
}
