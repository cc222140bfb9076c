import { type KeyboardEvent, type ReactNode, useEffect, useRef, useState } from "react";
import { newNotebook, openExample, openPath } from "../../commands/app-commands.ts";
import { runCommand } from "../../commands/table.ts";
import { useApp, useSelect } from "../../state/hooks.ts";
import { Button } from "../../ui/button.tsx";
import { ErrorBlock } from "../../ui/error-block.tsx";
import { Kbd } from "../../ui/kbd.tsx";
import { ProgressBar, useDelayed } from "../../ui/progress-bar.tsx";
import { formatAge, formatBytes } from "../../ui/units.ts";
import "./start.css";

/** What is seen first: new, open, recent notebooks, examples, one line about this computer. */
export function StartScreen() {
  const app = useApp();
  const page = useSelect((state) => state.startPage);
  const error = useSelect((state) => state.startPageError);
  const opening = useSelect((state) => state.opening);
  const busy = useDelayed(opening !== null);
  const root = useRef<HTMLDivElement>(null);
  const focused = useRef(false);
  const recents = page?.recents ?? [];

  useEffect(() => {
    document.title = "Parallax";
  }, []);

  // Once the lists are there: the newest notebook, or the first example when there is none.
  useEffect(() => {
    if (!page || focused.current) return;
    focused.current = true;
    const active = document.activeElement;
    if (active && active !== document.body) return;
    root.current?.querySelector<HTMLElement>(".start-item:not(:disabled)")?.focus();
  }, [page]);

  const recentList = (
    <section className="start-recent" aria-labelledby="start-recent">
      <h2 id="start-recent" className="type-h3">
        Recent
      </h2>
      {recents.length === 0 ? (
        <p className="muted">Notebooks that you open are listed here.</p>
      ) : (
        <ItemList label="Recent notebooks">
          {recents.map((recent) => (
            <li key={recent.path}>
              <button
                type="button"
                className="start-item"
                tabIndex={-1}
                disabled={recent.missing}
                title={recent.path}
                onClick={() => void openPath(app, recent.path)}
              >
                <span className="start-item-name">{recent.name}</span>
                <time
                  className="faint tabular"
                  dateTime={recent.openedAt}
                  title={new Date(recent.openedAt).toLocaleString()}
                >
                  {recent.missing ? "file is gone" : formatAge(recent.openedAt, Date.now())}
                </time>
              </button>
            </li>
          ))}
        </ItemList>
      )}
    </section>
  );
  const exampleList = (
    <section className="start-examples" aria-labelledby="start-examples">
      <h2 id="start-examples" className="type-h3">
        Start from an example
      </h2>
      <ItemList label="Examples">
        {(page?.examples ?? []).map((example) => (
          <li key={example.id}>
            <button
              type="button"
              className="start-item example"
              tabIndex={-1}
              onClick={() => void openExample(app, example.id, example.title)}
            >
              <span className="start-item-name">{example.title}</span>
              <span className="faint tabular">{example.minutes} min · offline</span>
              <span className="start-item-summary muted">{example.summary}</span>
            </button>
          </li>
        ))}
      </ItemList>
    </section>
  );

  return (
    <div className="start" ref={root}>
      <div className="start-column">
        <header className="start-head">
          <h1 className="type-h1">Parallax</h1>
          <p className="muted">A notebook for text embeddings. Everything runs on this computer.</p>
          <div className="start-actions">
            <Button tone="primary" size="large" icon="plus" onClick={() => void newNotebook(app)}>
              New notebook
            </Button>
            <Button size="large" icon="folder" onClick={() => runCommand(app, "notebook.open")}>
              Open…
            </Button>
            <span className="start-keys faint">
              <Kbd keys="Mod+O" /> open <Kbd keys="Mod+K" /> commands <Kbd keys="?" /> keys
            </span>
          </div>
          <div className="start-busy">{busy && <ProgressBar done={0} total={0} label={`Opening ${opening}`} />}</div>
        </header>
        {error && (
          <ErrorBlock
            title="The start page could not be read"
            error={error}
            safe="Nothing was changed."
            actions={
              <Button size="small" onClick={() => void app.loadStartPage()}>
                Try again
              </Button>
            }
          />
        )}
        <div className={`start-lists ${recents.length === 0 ? "examples-first" : ""}`}>
          {recents.length === 0 ? (
            <>
              {exampleList}
              {recentList}
            </>
          ) : (
            <>
              {recentList}
              {exampleList}
            </>
          )}
        </div>
        <MachineLine />
      </div>
    </div>
  );
}

/** "This computer: 8 cores · 16 GiB · default encoder ready". */
function MachineLine() {
  const hello = useSelect((state) => state.hello);
  const encoder = useSelect((state) => state.startPage?.encoder ?? null);
  if (!hello) return null;
  return (
    <p className="start-machine type-caption">
      This computer: {hello.cores} cores · {formatBytes(hello.memoryBytes)}
      {encoder && (
        <>
          {" · "}
          <span className={encoder.state === "ready" ? "tone-ok" : "tone-error"}>
            <span aria-hidden="true">{encoder.state === "ready" ? "✓" : "✕"}</span> {encoder.message}
          </span>
        </>
      )}
      <span className="start-root"> · notebooks in {hello.root}</span>
    </p>
  );
}

/** One stop for Tab; arrows, Home and End move inside. */
function ItemList({ label, children }: { label: string; children: ReactNode }) {
  const list = useRef<HTMLUListElement>(null);
  const [entered, setEntered] = useState(0);
  const items = () => [...(list.current?.querySelectorAll<HTMLElement>(".start-item:not(:disabled)") ?? [])];
  useEffect(() => {
    for (const [i, item] of items().entries()) item.tabIndex = i === entered ? 0 : -1;
  });
  const onKeyDown = (event: KeyboardEvent) => {
    const all = items();
    const at = all.indexOf(document.activeElement as HTMLElement);
    const to =
      event.key === "ArrowDown"
        ? Math.min(at + 1, all.length - 1)
        : event.key === "ArrowUp"
          ? Math.max(at - 1, 0)
          : event.key === "Home"
            ? 0
            : event.key === "End"
              ? all.length - 1
              : null;
    if (to === null) return;
    event.preventDefault();
    setEntered(to);
    all[to]?.focus();
  };
  return (
    <ul ref={list} aria-label={label} onKeyDown={onKeyDown}>
      {children}
    </ul>
  );
}
