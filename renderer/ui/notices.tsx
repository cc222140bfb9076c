import type { ErrorData } from "../../kernels/protocol/errors.ts";
import { Button } from "./button.tsx";
import { ErrorBlock } from "./error-block.tsx";
import "./ui.css";

export interface NoticeItem {
  id: number;
  level: "info" | "warning" | "error";
  error: ErrorData;
}

/** Toasts, for what happened off screen. They stay until they are dismissed: an error that vanishes cannot be read. */
export function Notices({ items, onDismiss }: { items: readonly NoticeItem[]; onDismiss(id: number): void }) {
  if (items.length === 0) return null;
  return (
    <section className="notices" aria-label="Notices">
      {items.map((item) => (
        <ErrorBlock
          key={item.id}
          error={item.error}
          tone={item.level}
          actions={
            <Button size="small" tone="quiet" onClick={() => onDismiss(item.id)}>
              Dismiss
            </Button>
          }
        />
      ))}
    </section>
  );
}
