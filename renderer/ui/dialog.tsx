import { type ReactNode, useEffect, useId, useRef } from "react";
import { IconButton } from "./button.tsx";
import "./ui.css";

interface DialogProps {
  title: string;
  onClose(): void;
  children: ReactNode;
  /** Buttons at the bottom; the one with `data-autofocus` gets the keyboard. */
  actions?: ReactNode;
  width?: number;
}

/** A modal dialog on the native element: the rest of the page is inert, Esc closes, focus returns to its opener. */
export function Dialog({ title, onClose, children, actions, width = 480 }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const titleId = useId();
  const close = useRef(onClose);
  close.current = onClose;

  useEffect(() => {
    const dialog = ref.current;
    const opener = document.activeElement as HTMLElement | null;
    if (dialog && !dialog.open) dialog.showModal();
    // React's autoFocus comes before the dialog is open, and the browser would choose the close button.
    const first = dialog?.querySelector<HTMLElement>("[data-autofocus]") ?? dialog?.querySelector(".dialog-body");
    (first as HTMLElement | null | undefined)?.focus();
    return () => {
      dialog?.close();
      // Only when nobody took the focus on purpose meanwhile.
      if (document.activeElement === document.body || document.activeElement === null) opener?.focus();
    };
  }, []);

  return (
    <dialog
      ref={ref}
      className="dialog"
      style={{ width: `min(${width}px, calc(100vw - 48px))` }}
      aria-labelledby={titleId}
      onCancel={(event) => {
        event.preventDefault();
        close.current();
      }}
      onKeyDown={(event) => event.stopPropagation()}
      onMouseDown={(event) => {
        if (event.target === ref.current) close.current();
      }}
    >
      <div className="dialog-frame">
        <header className="dialog-head">
          <h2 id={titleId} className="type-h3">
            {title}
          </h2>
          <IconButton icon="close" label="Close" onClick={onClose} />
        </header>
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard */}
        <div className="dialog-body" tabIndex={0}>
          {children}
        </div>
        {actions && <footer className="dialog-actions">{actions}</footer>}
      </div>
    </dialog>
  );
}
