import { useContext, useEffect, useState } from "react";
import { AppContext } from "../../state/hooks.ts";

const DATA = /\.(?:tsv|tab|csv|jsonl|ndjson|json|txt|parquet)(?:\.gz)?$/i;
/** Folders that are looked into: enough for a project, not for a home. */
const MOST_FOLDERS = 12;

/** Data files of the root and of the folders in it, to choose from while typing. */
export function useDataFiles(): readonly string[] {
  const app = useContext(AppContext);
  const [files, setFiles] = useState<readonly string[]>([]);
  useEffect(() => {
    if (app === null) return;
    let gone = false;
    const look = async () => {
      const list = (folder: string) => app.client.call("files.list", { folder });
      const { entries } = await list("");
      const folders = entries.filter(({ kind, name }) => kind === "folder" && name !== "runs").slice(0, MOST_FOLDERS);
      const inside = await Promise.all(folders.map(({ path }) => list(path)));
      const found = [...entries, ...inside.flatMap((each) => each.entries)];
      if (!gone) setFiles(found.filter(({ kind, name }) => kind === "file" && DATA.test(name)).map(({ path }) => path));
    };
    // Without suggestions a path is typed.
    look().catch(() => undefined);
    return () => {
      gone = true;
    };
  }, [app]);
  return files;
}
