/** What the page tells the TypeScript worker: the code cells of each notebook in order, in one virtual file. */
export const CELLS_FILE = "parallax-cells.json";

export interface CellsFile {
  notebooks: Record<string, { uri: string; text: string }[]>;
}

export function cellUri(docId: string, cellId: string): string {
  return `file:///notebook/${encodeURIComponent(docId)}/${encodeURIComponent(cellId)}.ts`;
}
