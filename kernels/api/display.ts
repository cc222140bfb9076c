/** Showing things from a cell: `display`, and text that is shown as Markdown or HTML. */
import { randomUUID } from "node:crypto";
import { types } from "node:util";
import { DISPLAY, type Displayable, MIME, type MimeBundle } from "../protocol/display.ts";
import { currentContext } from "./context.ts";
import { resultMetadata } from "./result-metadata.ts";
import { valueBundle } from "./value-bundle.ts";

/** A display that can be replaced. */
export interface DisplayHandle {
  readonly displayId: string;
  /** Shows another value in its place. */
  update(value: unknown): void;
}

/**
 * Shows a value under the cell now, before the cell is done.
 *
 * @param value    anything: results of Parallax show their own view, rows become a table, other values a typed preview.
 * @param options  `displayId` names the display; the same id replaces an earlier one of that id with `update`.
 * @returns        a handle whose `update` replaces the display in place, for live values.
 */
export function display(value: unknown, options: { displayId?: string } = {}): DisplayHandle {
  const displayId = options.displayId ?? randomUUID();
  show(value, displayId, false);
  return {
    displayId,
    update: (next) => show(next, displayId, true),
  };
}

/** The newest bundle of each display wins, also when an older one takes longer to make. */
const versions = new Map<string, number>();

function show(value: unknown, displayId: string, update: boolean): void {
  const context = currentContext();
  const bundle = valueBundle(value);
  const metadata = resultMetadata(value);
  if (!types.isPromise(bundle)) {
    context.display(bundle, { displayId, update, metadata });
    return;
  }
  const version = (versions.get(displayId) ?? 0) + 1;
  versions.set(displayId, version);
  context.pending(
    bundle.then((made) => {
      if (versions.get(displayId) !== version) return;
      versions.delete(displayId);
      context.display(made, { displayId, update, metadata });
    }),
  );
}

/** Empties the output of the running cell; with `wait`, only when the next output comes, so that nothing flickers. */
export function clearOutput(options: { wait?: boolean } = {}): void {
  currentContext().clear(options.wait ?? false);
}

class Shown implements Displayable {
  readonly #bundle: MimeBundle;
  constructor(bundle: MimeBundle) {
    this.#bundle = bundle;
  }
  [DISPLAY](): MimeBundle {
    return this.#bundle;
  }
  toString(): string {
    return String(this.#bundle[MIME.plain]);
  }
}

type Text = TemplateStringsArray | string;

function joined(text: Text, values: readonly unknown[], toText: (value: unknown) => string): string {
  if (typeof text === "string") return text;
  return text.reduce((all, part, i) => `${all}${toText(values[i - 1])}${part}`);
}

/** Markdown as the cell's output: markdown`**n** = ${n}` or markdown(text). */
export function markdown(text: Text, ...values: unknown[]): Displayable {
  const source = joined(text, values, String);
  return new Shown({ [MIME.markdown]: source, [MIME.plain]: source });
}

/**
 * HTML as the cell's output: html`<b>${text}</b>` escapes what is put in; html(source) takes it as it is. It is shown
 * in a frame of its own, without scripts' access to the notebook.
 */
export function html(text: Text, ...values: unknown[]): Displayable {
  const source = joined(text, values, (value) => {
    const inner = value instanceof Shown ? value[DISPLAY]()[MIME.html] : undefined;
    return typeof inner === "string" ? inner : String(value).replace(/[&<>"']/g, (c) => `&#${c.charCodeAt(0)};`);
  });
  const plain = source
    .replace(/<(style|script)\b.*?<\/\1>/gs, "")
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .trim();
  return new Shown({ [MIME.html]: source, [MIME.plain]: plain });
}
