import { useSelect } from "../state/hooks.ts";

/** The one polite live region: results of runs, saves, what a key did when nothing is seen. */
export function Live() {
  const text = useSelect((state) => state.announcement);
  return (
    <div className="visually-hidden" role="status" aria-live="polite" aria-atomic="true">
      {text}
    </div>
  );
}
