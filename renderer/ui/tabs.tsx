import { type KeyboardEvent, type ReactNode, useRef } from "react";
import { Icon } from "./icon.tsx";
import "./ui.css";

export interface TabItem {
  id: string;
  label: ReactNode;
  /** Spoken name when the label alone does not say it. */
  name?: string;
  onClose?: () => void;
  closeLabel?: string;
}

interface TabsProps {
  items: TabItem[];
  active: string;
  label: string;
  onSelect(id: string): void;
  /** Panel that the tabs control. */
  panelId?: string;
}

/** A row of tabs: arrows move and choose, Delete closes. */
export function Tabs({ items, active, label, onSelect, panelId }: TabsProps) {
  const list = useRef<HTMLDivElement>(null);
  const onKeyDown = (event: KeyboardEvent) => {
    const at = items.findIndex((item) => item.id === active);
    const to =
      event.key === "ArrowRight"
        ? at + 1
        : event.key === "ArrowLeft"
          ? at - 1
          : event.key === "Home"
            ? 0
            : event.key === "End"
              ? items.length - 1
              : null;
    if (event.key === "Delete") items[at]?.onClose?.();
    else if (to !== null) {
      const next = items[(to + items.length) % items.length];
      if (next) onSelect(next.id);
      requestAnimationFrame(() => list.current?.querySelector<HTMLElement>('[aria-selected="true"]')?.focus());
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div className="tabs" role="tablist" aria-label={label} ref={list} onKeyDown={onKeyDown}>
      {items.map((item) => (
        <div key={item.id} className={`tab ${item.id === active ? "active" : ""}`} role="presentation">
          <button
            type="button"
            role="tab"
            className="tab-button"
            aria-selected={item.id === active}
            {...(panelId === undefined ? {} : { "aria-controls": panelId })}
            {...(item.name === undefined ? {} : { "aria-label": item.name })}
            tabIndex={item.id === active ? 0 : -1}
            onClick={() => onSelect(item.id)}
          >
            {item.label}
          </button>
          {item.onClose && (
            <button
              type="button"
              className="tab-close"
              tabIndex={-1}
              // A tab list may hold tabs only; the keyboard closes with Delete.
              aria-hidden="true"
              title={item.closeLabel ?? "Close"}
              onClick={item.onClose}
            >
              <Icon name="close" size={12} />
            </button>
          )}
        </div>
      ))}
    </div>
  );
}
