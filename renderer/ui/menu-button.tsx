/** A text button that opens a menu: "Copy or save ▾". */
import { useRef, useState } from "react";
import { Button } from "./button.tsx";
import { Menu, type MenuItem } from "./menu.tsx";

interface Props {
  label: string;
  /** Spoken name, when the label alone does not say it; it should hold the label. */
  name?: string;
  items: () => MenuItem[];
  tone?: "plain" | "quiet";
  disabled?: boolean;
}

export function TextMenuButton({ label, name = label, items, tone = "quiet", disabled = false }: Props) {
  const [anchor, setAnchor] = useState<DOMRect | null>(null);
  const button = useRef<HTMLButtonElement>(null);
  return (
    <>
      <Button
        ref={button}
        size="small"
        tone={tone}
        disabled={disabled}
        aria-label={name}
        title={name}
        aria-haspopup="menu"
        aria-expanded={anchor !== null}
        onClick={(event) => setAnchor(anchor ? null : event.currentTarget.getBoundingClientRect())}
      >
        {label} <span aria-hidden="true">▾</span>
      </Button>
      {anchor && (
        <Menu
          items={items()}
          label={name}
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
