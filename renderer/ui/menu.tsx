import { type KeyboardEvent, type ReactNode, useEffect, useId, useLayoutEffect, useRef, useState } from "react";
import { createPortal } from "react-dom";
import { IconButton } from "./button.tsx";
import type { IconName } from "./icon.tsx";
import { Kbd } from "./kbd.tsx";
import "./ui.css";

export type MenuItem =
  | {
      kind?: "item";
      id: string;
      label: ReactNode;
      keys?: string;
      disabled?: boolean;
      danger?: boolean;
      onSelect(): void;
    }
  | { kind: "separator"; id: string };

interface MenuProps {
  items: MenuItem[];
  /** Spoken name of the list. */
  label: string;
  anchor: DOMRect;
  onClose(): void;
}

/** A list of actions at a button. Arrows move, letters jump, Enter chooses, Esc and Tab leave. */
export function Menu({ items, label, anchor, onClose }: MenuProps) {
  const ref = useRef<HTMLDivElement>(null);
  const [place, setPlace] = useState<{ left: number; top: number }>({ left: anchor.left, top: anchor.bottom + 4 });

  useLayoutEffect(() => {
    const box = ref.current?.getBoundingClientRect();
    if (!box) return;
    const left = Math.max(8, Math.min(anchor.right - box.width, window.innerWidth - box.width - 8));
    const below = anchor.bottom + 4;
    const top = below + box.height > window.innerHeight - 8 ? Math.max(8, anchor.top - box.height - 4) : below;
    setPlace({ left, top });
    ref.current?.querySelector<HTMLElement>('[role="menuitem"]:not([aria-disabled])')?.focus();
  }, [anchor]);

  useEffect(() => {
    const outside = (event: Event) => {
      if (!ref.current?.contains(event.target as Node)) onClose();
    };
    document.addEventListener("mousedown", outside, true);
    window.addEventListener("resize", onClose);
    return () => {
      document.removeEventListener("mousedown", outside, true);
      window.removeEventListener("resize", onClose);
    };
  }, [onClose]);

  const onKeyDown = (event: KeyboardEvent) => {
    event.stopPropagation();
    const all = [...(ref.current?.querySelectorAll<HTMLElement>('[role="menuitem"]:not([aria-disabled])') ?? [])];
    const at = all.indexOf(document.activeElement as HTMLElement);
    const go = (index: number) => all[(index + all.length) % all.length]?.focus();
    if (event.key === "ArrowDown") go(at + 1);
    else if (event.key === "ArrowUp") go(at - 1);
    else if (event.key === "Home") go(0);
    else if (event.key === "End") go(-1);
    else if (event.key === "Escape" || event.key === "Tab") onClose();
    else if (event.key.length === 1) {
      const rest = [...all.slice(at + 1), ...all.slice(0, at + 1)];
      rest.find((item) => item.textContent?.toLowerCase().startsWith(event.key.toLowerCase()))?.focus();
    } else return;
    event.preventDefault();
  };

  return createPortal(
    <div ref={ref} role="menu" tabIndex={-1} aria-label={label} className="menu" style={place} onKeyDown={onKeyDown}>
      {items.map((item) =>
        item.kind === "separator" ? (
          <div key={item.id} className="menu-separator" />
        ) : (
          <button
            key={item.id}
            type="button"
            role="menuitem"
            tabIndex={-1}
            className={`menu-item ${item.danger ? "danger" : ""}`}
            {...(item.disabled ? { "aria-disabled": true } : {})}
            onMouseEnter={(event) => event.currentTarget.focus()}
            onClick={() => {
              if (item.disabled) return;
              onClose();
              item.onSelect();
            }}
          >
            <span>{item.label}</span>
            {item.keys && <Kbd keys={item.keys} />}
          </button>
        ),
      )}
    </div>,
    document.body,
  );
}

interface MenuButtonProps {
  icon: IconName;
  label: string;
  items: () => MenuItem[];
  className?: string;
  tabIndex?: number;
}

/** An icon button that opens a menu and gets the focus back. */
export function MenuButton({ icon, label, items, className, tabIndex }: MenuButtonProps) {
  const [anchor, setAnchor] = useState<DOMRect | null>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();
  return (
    <>
      <IconButton
        ref={button}
        icon={icon}
        label={label}
        id={id}
        className={className ?? ""}
        {...(tabIndex === undefined ? {} : { tabIndex })}
        aria-haspopup="menu"
        aria-expanded={anchor !== null}
        onClick={(event) => setAnchor(anchor ? null : event.currentTarget.getBoundingClientRect())}
      />
      {anchor && (
        <Menu
          items={items()}
          label={label}
          anchor={anchor}
          onClose={() => {
            setAnchor(null);
            button.current?.focus();
          }}
        />
      )}
    </>
  );
}
