import type { ReactNode } from "react";
import "./ui.css";

/** Never a blank pane: one sentence of purpose, one primary action, one example that runs with no network. */
export function EmptyState({ title, action, children }: { title: string; action?: ReactNode; children?: ReactNode }) {
  return (
    <div className="empty-state">
      <p className="type-h3">{title}</p>
      {children}
      {action && <div className="empty-action">{action}</div>}
    </div>
  );
}
