import { type ReactNode, useState } from "react";
import type { ErrorData } from "../../kernels/protocol/errors.ts";
import { Button } from "./button.tsx";
import "./ui.css";

interface ErrorBlockProps {
  error: ErrorData;
  /** What failed, in a few words: "Not saved". The error's message then says why. */
  title?: string;
  /** What is safe: "Your edits are kept here." */
  safe?: string;
  /** One to three buttons. */
  actions?: ReactNode;
  /** A bar across the top of a view, or a block where it happened. */
  shape?: "block" | "bar";
  tone?: "error" | "warning" | "info";
}

/** An error in four parts: what failed, why with real values, what is safe, what to do; and "Copy details". */
export function ErrorBlock({ error, title, safe, actions, shape = "block", tone = "error" }: ErrorBlockProps) {
  const [copied, setCopied] = useState(false);
  const glyph = tone === "error" ? "✕" : tone === "warning" ? "≠" : "○";
  return (
    <div className={`error-block ${shape} ${tone}`} role={tone === "error" ? "alert" : "status"}>
      <span className="error-glyph" aria-hidden="true">
        {glyph}
      </span>
      <div className="error-text">
        <p>
          {title && <strong>{title}: </strong>}
          {error.message} {safe && <span>{safe} </span>}
          {error.hint && <span className="muted">{error.hint}</span>}
        </p>
        {error.cause && <p className="type-caption">Cause: {error.cause.message}</p>}
      </div>
      <div className="error-actions">
        {actions}
        <Button
          size="small"
          tone="quiet"
          onClick={() => {
            void navigator.clipboard.writeText(errorDetails(error)).then(() => setCopied(true));
          }}
        >
          {copied ? "Copied" : "Copy details"}
        </Button>
      </div>
    </div>
  );
}

/** Everything known about an error, for a report. */
export function errorDetails(error: ErrorData): string {
  const lines = [`${error.code} (${error.kind})`, error.message];
  if (error.hint) lines.push(`Hint: ${error.hint}`);
  if (error.details) lines.push(JSON.stringify(error.details, null, 2));
  if (error.stack) lines.push(...error.stack);
  if (error.cause) lines.push("Caused by:", errorDetails(error.cause));
  return lines.join("\n");
}
