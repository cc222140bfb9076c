import type { ButtonHTMLAttributes, Ref } from "react";
import { Icon, type IconName } from "./icon.tsx";
import "./ui.css";

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  /** One primary button a view; danger for what cannot be taken back. */
  tone?: "primary" | "plain" | "quiet" | "danger";
  size?: "normal" | "small" | "large";
  icon?: IconName;
  ref?: Ref<HTMLButtonElement>;
}

export function Button({ tone = "plain", size = "normal", icon, className = "", children, ...rest }: ButtonProps) {
  return (
    <button type="button" className={`button ${tone} ${size} ${className}`} {...rest}>
      {icon && <Icon name={icon} size={14} />}
      {children}
    </button>
  );
}

interface IconButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, "children"> {
  icon: IconName;
  /** Spoken name and tooltip, with the key where there is one: "Run cell (Shift+Enter)". */
  label: string;
  /** Shown pressed (toggle buttons). */
  pressed?: boolean;
  ref?: Ref<HTMLButtonElement>;
}

export function IconButton({ icon, label, pressed, className = "", ...rest }: IconButtonProps) {
  return (
    <button
      type="button"
      className={`icon-button ${className}`}
      aria-label={label}
      title={label}
      {...(pressed === undefined ? {} : { "aria-pressed": pressed })}
      {...rest}
    >
      <Icon name={icon} />
    </button>
  );
}
