import DOMPurify from "dompurify";
import MarkdownIt from "markdown-it";
import { useMemo } from "react";
import "./markdown.css";

const parser = new MarkdownIt({ html: true, linkify: true });

/** Markdown as safe HTML: nothing that runs, styles or loads from elsewhere; pictures from attachments and data only. */
export function renderMarkdown(source: string, attachments: Record<string, unknown> = {}): string {
  const fragment = DOMPurify.sanitize(parser.render(source), {
    FORBID_TAGS: ["style", "form", "input", "button", "iframe", "object", "embed", "svg", "math"],
    FORBID_ATTR: ["style", "class", "id", "name", "srcset"],
    ADD_URI_SAFE_ATTR: [],
    ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|#|attachment:|data:image\/(?:png|jpeg|gif|webp);)/i,
    RETURN_DOM_FRAGMENT: true,
  });
  for (const link of fragment.querySelectorAll("a[href]")) {
    link.setAttribute("target", "_blank");
    link.setAttribute("rel", "noopener noreferrer");
  }
  for (const picture of fragment.querySelectorAll("img")) {
    const address = picture.getAttribute("src") ?? "";
    const attached = /^attachment:(.+)$/.exec(address)?.[1];
    const bundle =
      attached === undefined ? undefined : (attachments[decodeURIComponent(attached)] as object | undefined);
    const [type, data] = Object.entries(bundle ?? {})[0] ?? [];
    if (type !== undefined && /^image\/(png|jpeg|gif|webp)$/.test(type))
      picture.src = `data:${type};base64,${String(data)}`;
    else if (!/^data:image\//i.test(address)) {
      // A picture from the network would tell its server that the notebook was opened.
      const note = document.createElement("span");
      note.textContent = `[picture not loaded: ${picture.alt || address || "no address"}]`;
      picture.replaceWith(note);
    }
  }
  for (const table of fragment.querySelectorAll("table, pre")) table.setAttribute("tabindex", "0");
  const box = document.createElement("div");
  box.append(fragment);
  return box.innerHTML;
}

/** Prose at the reading size, at most 72 characters wide. */
export function Markdown({ source, attachments }: { source: string; attachments?: Record<string, unknown> }) {
  const html = useMemo(() => renderMarkdown(source, attachments), [source, attachments]);
  // biome-ignore lint/security/noDangerouslySetInnerHtml: sanitised in renderMarkdown
  return <div className="prose" dangerouslySetInnerHTML={{ __html: html }} />;
}
