/** The editor that has the keyboard, as far as commands need to know it. The notebook's cells register here. */
export interface EditorHandle {
  docId: string;
  cellId: string;
  /** Characters before the cursor. */
  offset(): number;
}

let active: EditorHandle | null = null;

export function setActiveEditor(handle: EditorHandle): void {
  active = handle;
}

export function clearActiveEditor(cellId: string): void {
  if (active?.cellId === cellId) active = null;
}

export function activeEditor(): EditorHandle | null {
  return active;
}
