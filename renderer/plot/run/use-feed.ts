import { useContext, useEffect, useState, useSyncExternalStore } from "react";
import { AppContext } from "../../state/hooks.ts";
import { openFeed, type RunFeed } from "./run-feed.ts";

/** Watches a run while the component is mounted; null without a host (a saved page) or without a folder. */
export function useFeed(folder: string | null): RunFeed | null {
  const client = useContext(AppContext)?.client ?? null;
  const [feed, setFeed] = useState<RunFeed | null>(null);
  useEffect(() => {
    if (client === null || folder === null) {
      setFeed(null);
      return;
    }
    const [opened, close] = openFeed(client, folder);
    setFeed(opened);
    return close;
  }, [client, folder]);
  useSyncExternalStore(feed?.subscribe ?? never, () => feed?.version ?? 0);
  return feed;
}

const never = () => () => undefined;
