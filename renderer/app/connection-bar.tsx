import { useApp, useSelect } from "../state/hooks.ts";
import { Button } from "../ui/button.tsx";
import { useDelayed } from "../ui/progress-bar.tsx";

/** Calm: what is wrong, what is safe, and that it mends itself. */
export function ConnectionBar() {
  const app = useApp();
  const connection = useSelect((state) => state.connection);
  const open = connection.state === "open";
  const shown = useDelayed(!open, 700);
  const hadHello = useSelect((state) => state.hello !== null);
  if (!shown) return null;
  if (!hadHello && connection.state === "connecting")
    return (
      <div className="connection-bar" role="status">
        Connecting to the host…
      </div>
    );
  return (
    <div className="connection-bar" role="status">
      <span aria-hidden="true">◌</span>
      <span>
        The connection to the host is lost
        {connection.state === "lost" ? ` (${connection.reason})` : ""}. Your edits are kept here; connecting again
        {connection.state === "lost" && connection.retryInMs >= 1000
          ? ` in ${Math.round(connection.retryInMs / 1000)} s`
          : ""}
        …
      </span>
      <Button size="small" onClick={() => app.client.retryNow()}>
        Connect now
      </Button>
    </div>
  );
}
