/** One Monaco editor for one cell: as high as its text, keys of the notebook registered inside, leaves with Esc. */

import type * as Monaco from "monaco-editor/editor/editor.api.js";
import { useEffect, useRef } from "react";
import type { CellType } from "../../../../notebooks/format/model.ts";
import { clearActiveEditor, setActiveEditor } from "../../../commands/editors.ts";
import { useApp } from "../../../state/hooks.ts";
import { cellUri } from "./cells-file.ts";
import { registerKeys } from "./editor-keys.ts";
import type { MonacoChunk } from "./load.ts";

interface CellEditorProps {
  chunk: MonacoChunk;
  docId: string;
  cellId: string;
  type: CellType;
  source: string;
  name: string;
  readOnly: boolean;
  lineNumbers: boolean;
  placeholder?: string | undefined;
  /** Changes when the keyboard should go into the editor. */
  focusSerial: number | null;
  onHeight(height: number): void;
}

const viewStates = new Map<string, Monaco.editor.ICodeEditorViewState | null>();

export function CellEditor(props: CellEditorProps) {
  const { chunk, docId, cellId, type, source, name, readOnly, lineNumbers, placeholder, focusSerial } = props;
  const app = useApp();
  const box = useRef<HTMLDivElement>(null);
  const editor = useRef<Monaco.editor.IStandaloneCodeEditor | null>(null);
  const latest = useRef(props);
  latest.current = props;
  /** True while the model is set from the state, so that this is not taken for typing. */
  const setting = useRef(false);

  useEffect(() => {
    if (!box.current) return;
    const { monaco, overflow } = chunk;
    registerKeys(monaco, app);
    const { docId, cellId } = latest.current;
    const language = type === "code" ? "typescript" : type === "markdown" ? "markdown" : "plaintext";
    const uri = monaco.Uri.parse(cellUri(docId, cellId));
    let model = monaco.editor.getModel(uri);
    if (model && model.getLanguageId() !== language) monaco.editor.setModelLanguage(model, language);
    model ??= monaco.editor.createModel(latest.current.source, language, uri);
    model.updateOptions({
      tabSize: 2,
      insertSpaces: true,
      bracketColorizationOptions: { enabled: false, independentColorPoolPerBracketType: false },
    });
    if (model.getValue() !== latest.current.source) model.setValue(latest.current.source);
    const wrap = language !== "typescript";
    const made = monaco.editor.create(box.current, {
      model,
      theme: "parallax",
      fontFamily: getComputedStyle(document.documentElement).getPropertyValue("--font-code"),
      fontSize: 13,
      lineHeight: 20,
      lineNumbers: latest.current.lineNumbers ? "on" : "off",
      lineNumbersMinChars: 3,
      lineDecorationsWidth: 12,
      glyphMargin: false,
      folding: false,
      minimap: { enabled: false },
      scrollBeyondLastLine: false,
      scrollBeyondLastColumn: 2,
      wordWrap: wrap ? "on" : "off",
      renderLineHighlight: "none",
      overviewRulerLanes: 0,
      overviewRulerBorder: false,
      hideCursorInOverviewRuler: true,
      guides: { indentation: false },
      codeLens: false,
      colorDecorators: false,
      lightbulb: { enabled: monaco.editor.ShowLightbulbIconMode.Off },
      dropIntoEditor: { enabled: false },
      padding: { top: 8, bottom: 8 },
      scrollbar: { vertical: "hidden", horizontalScrollbarSize: 8, alwaysConsumeMouseWheel: false, useShadows: false },
      fixedOverflowWidgets: true,
      overflowWidgetsDomNode: overflow,
      automaticLayout: true,
      readOnly: latest.current.readOnly,
      ariaLabel: latest.current.name,
      placeholder: latest.current.placeholder ?? "",
      quickSuggestions: language === "typescript",
      wordBasedSuggestions: "off",
      suggest: { showWords: false },
      occurrencesHighlight: "singleFile",
      stickyScroll: { enabled: false },
      unicodeHighlight: { ambiguousCharacters: false, invisibleCharacters: false },
    });
    editor.current = made;
    colourNow(model);
    made.restoreViewState(viewStates.get(uri.toString()) ?? null);

    const grow = () => latest.current.onHeight(made.getContentHeight());
    const offs = [
      made.onDidContentSizeChange(grow),
      made.onDidFocusEditorText(() => {
        setActiveEditor({
          docId,
          cellId,
          offset: () => {
            const at = made.getPosition();
            return at === null ? 0 : (made.getModel()?.getOffsetAt(at) ?? 0);
          },
        });
        app.store.dispatch({ type: "cell.selected", docId, cellId, mode: "edit" });
      }),
      made.onDidBlurEditorText(() => clearActiveEditor(cellId)),
      made.onDidBlurEditorWidget(() => {
        // Another window in front is no reason to leave the mode.
        const doc = app.store.state.documents[docId];
        if (document.hasFocus() && doc?.mode === "edit" && doc.active === cellId && doc.focus === null)
          app.store.dispatch({ type: "mode.changed", docId, mode: "command" });
      }),
      model.onDidChangeContent(() => {
        if (!setting.current) app.setSource(docId, cellId, made.getModel()?.getValue() ?? "");
      }),
      made.onKeyDown((event) => leaveAtEdge(monaco, made, event, (by) => moveTo(app, docId, cellId, by))),
    ];
    grow();
    return () => {
      viewStates.set(uri.toString(), made.saveViewState());
      for (const off of offs) off.dispose();
      clearActiveEditor(cellId);
      made.dispose();
      editor.current = null;
    };
  }, [chunk, app, type]);

  // Undo, merge, another page: the text changed elsewhere.
  useEffect(() => {
    const model = editor.current?.getModel();
    if (!model || model.getValue() === source) return;
    setting.current = true;
    model.pushEditOperations([], [{ range: model.getFullModelRange(), text: source }], () => null);
    setting.current = false;
  }, [source]);

  useEffect(() => {
    editor.current?.updateOptions({
      readOnly,
      ariaLabel: name,
      lineNumbers: lineNumbers ? "on" : "off",
      placeholder: placeholder ?? "",
    });
  }, [readOnly, name, lineNumbers, placeholder]);

  useEffect(() => {
    if (focusSerial === null) return;
    editor.current?.focus();
    app.store.dispatch({ type: "focus.taken", docId, serial: focusSerial });
  }, [app, docId, focusSerial]);

  return <div ref={box} className="cell-monaco" data-doc={docId} data-cell-editor={cellId} />;
}

/** Arrow up in the first line and down in the last one go to the neighbouring cell, as in Jupyter. */
function leaveAtEdge(
  monaco: typeof Monaco,
  editor: Monaco.editor.IStandaloneCodeEditor,
  event: Monaco.IKeyboardEvent,
  move: (by: 1 | -1) => void,
): void {
  const up = event.keyCode === monaco.KeyCode.UpArrow;
  if (!up && event.keyCode !== monaco.KeyCode.DownArrow) return;
  if (event.shiftKey || event.ctrlKey || event.altKey || event.metaKey) return;
  // The list of suggestions and the parameter hints use the arrows.
  if (
    document.querySelector(".monaco-overflow .suggest-widget.visible, .monaco-overflow .parameter-hints-widget.visible")
  )
    return;
  const at = editor.getPosition();
  const lines = editor.getModel()?.getLineCount() ?? 1;
  if (at === null || at.lineNumber !== (up ? 1 : lines) || !editor.getSelection()?.isEmpty()) return;
  event.preventDefault();
  event.stopPropagation();
  move(up ? -1 : 1);
}

function moveTo(app: ReturnType<typeof useApp>, docId: string, cellId: string, by: 1 | -1): void {
  const doc = app.store.state.documents[docId];
  const at = doc?.notebook.cells.findIndex((cell) => cell.id === cellId) ?? -1;
  const next = doc?.notebook.cells[at + by];
  if (!doc || !next) return;
  const text = next.cell_type === "markdown" && !doc.editing[next.id];
  app.store.dispatch({
    type: "cell.selected",
    docId,
    cellId: next.id,
    mode: text ? "command" : "edit",
    focus: text ? "cell" : "editor",
  });
}

/** Monaco colours in idle time, which a busy computer does not have: a cell is short enough to be coloured at once. */
function colourNow(model: Monaco.editor.ITextModel): void {
  const { tokenization } = model as { tokenization?: { forceTokenization?(line: number): void } };
  tokenization?.forceTokenization?.(Math.min(model.getLineCount(), 200));
}

/** Frees the texts and undo stacks of a closed notebook. */
export function disposeModels(chunk: MonacoChunk, docId: string): void {
  const prefix = `file:///notebook/${encodeURIComponent(docId)}/`;
  for (const model of chunk.monaco.editor.getModels()) {
    const uri = model.uri.toString();
    if (!uri.startsWith(prefix)) continue;
    viewStates.delete(uri);
    model.dispose();
  }
}
