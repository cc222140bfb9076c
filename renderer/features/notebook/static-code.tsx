import { memo, useMemo } from "react";
import { highlight } from "./highlight.ts";

interface StaticCodeProps {
  source: string;
  language: "typescript" | "markdown" | "raw";
  lineNumbers: boolean;
  placeholder?: string | undefined;
}

/** A cell's text in the editor's geometry and colours, for cells that are far away or not yet edited. */
export const StaticCode = memo(function StaticCode({ source, language, lineNumbers, placeholder }: StaticCodeProps) {
  const tokens = useMemo(() => (language === "typescript" ? highlight(source) : null), [source, language]);
  return (
    <div className={`static-code ${language === "typescript" ? "" : "wrap"}`}>
      {lineNumbers && (
        <div className="static-lines" aria-hidden="true">
          {source.split("\n").map((_, i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a line is its number
            <div key={i}>{i + 1}</div>
          ))}
        </div>
      )}
      <pre>
        {source === "" && placeholder ? <span className="faint">{placeholder}</span> : null}
        {tokens === null
          ? source
          : tokens.map((token, i) =>
              token.role === "text" ? (
                token.text
              ) : (
                // biome-ignore lint/suspicious/noArrayIndexKey: tokens have no identity of their own
                <span key={i} className={`code-${token.role}`}>
                  {token.text}
                </span>
              ),
            )}
        {source.endsWith("\n") || source === "" ? "\u200b" : null}
      </pre>
    </div>
  );
});
