/** A folder that is dropped on the screen. The desktop shell knows where it is; a browser tells its name at most. */
import { type DragEvent, useRef, useState } from "react";
import { pathOfFile } from "../../host/port-electron.ts";
import type { Dropped } from "./folder-dialog.tsx";

/** Where what was dropped is; null: it is nothing that lies on a disk. */
export function droppedFolder(data: DataTransfer): Dropped | null {
  const file = data.files[0];
  if (file !== undefined) return { path: pathOfFile(file), name: file.name };
  // File managers and terminals that hand over text.
  const text = (data.getData("text/uri-list") || data.getData("text/plain"))
    .split(/\r?\n/)
    .find((line) => !/^#|^$/.test(line));
  const path = text === undefined ? null : pathOf(text.trim());
  return path === null ? null : { path, name: path.split(/[/\\]/).at(-1) ?? path };
}

function pathOf(text: string): string | null {
  if (text.startsWith("file:") && URL.canParse(text)) {
    const { pathname, host } = new URL(text);
    if (host !== "" && host !== "localhost") return null;
    const path = decodeURIComponent(pathname);
    return /^\/[A-Za-z]:\//.test(path) ? path.slice(1) : path;
  }
  return /^(\/|[A-Za-z]:[\\/])[^\0]*$/.test(text) ? text : null;
}

const TYPES = ["Files", "text/uri-list", "text/plain"];

/** Handlers for the screen, and whether something hovers over it now. */
export function useFolderDrop(onDrop: (dropped: Dropped) => void) {
  const [over, setOver] = useState(false);
  /** Children send enter and leave as well. */
  const depth = useRef(0);
  const takes = (event: DragEvent) => event.dataTransfer.types.some((type) => TYPES.includes(type));
  return {
    over,
    handlers: {
      onDragEnter: (event: DragEvent) => {
        if (!takes(event)) return;
        event.preventDefault();
        depth.current++;
        setOver(true);
      },
      onDragLeave: () => {
        depth.current = Math.max(0, depth.current - 1);
        if (depth.current === 0) setOver(false);
      },
      onDragOver: (event: DragEvent) => {
        if (!takes(event)) return;
        // Without this the browser would leave the page for what is dropped.
        event.preventDefault();
        event.dataTransfer.dropEffect = "copy";
      },
      onDrop: (event: DragEvent) => {
        depth.current = 0;
        setOver(false);
        const dropped = droppedFolder(event.dataTransfer);
        if (takes(event)) event.preventDefault();
        if (dropped !== null) onDrop(dropped);
      },
    },
  };
}
