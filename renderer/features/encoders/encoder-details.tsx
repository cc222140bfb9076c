/** One encoder in full: how it makes a vector, its prompts, its files and how we know that they are the published ones. */
import { useEffect, useState } from "react";
import type { EncoderDetails as Details, EncoderEntry } from "../../../kernels/protocol/encoders.ts";
import { type ErrorData, isCancelled, toErrorData } from "../../../kernels/protocol/errors.ts";
import { announce } from "../../ui/announce.ts";
import { Button, IconButton } from "../../ui/button.tsx";
import { copyText } from "../../ui/clipboard.ts";
import { ErrorBlock } from "../../ui/error-block.tsx";
import { formatAge, formatCount, formatDiskBytes, formatRate } from "../../ui/units.ts";
import { encoderCell } from "./encoder-cell.ts";
import { bytesOf, hubHost, languagesText, poolingText, TRUST_SHORT, TRUST_WORDS, usesText } from "./encoder-words.ts";
import { type EncodersView, isHere } from "./encoders-state.ts";
import type { EncodersActions } from "./use-encoders.ts";

interface Props {
  entry: EncoderEntry;
  view: EncodersView;
  actions: EncodersActions;
  onClose(): void;
}

/** What is known without the network is shown at once; the hub is asked only when the user says so. */
export function EncoderDetails({ entry, view, actions, onClose }: Props) {
  const { id, state, speed } = entry;
  const local = isHere(entry);
  const [asked, setAsked] = useState(false);
  const [details, setDetails] = useState<Details | null>(null);
  const [error, setError] = useState<ErrorData | null>(null);
  const wanted = local || asked;
  const loading = wanted && details === null && error === null;

  // biome-ignore lint/correctness/useExhaustiveDependencies: read again when it was downloaded or measured
  useEffect(() => {
    if (!wanted) return;
    const abort = new AbortController();
    actions.details(id, abort.signal).then(
      (found) => {
        if (abort.signal.aborted) return;
        setDetails(found);
        setError(null);
      },
      (reason: unknown) => {
        if (!abort.signal.aborted && !isCancelled(reason)) setError(toErrorData(reason));
      },
    );
    return () => abort.abort();
  }, [actions, id, wanted, state, speed?.measuredAt]);

  const host = hubHost(view.settings);
  return (
    <section className="enc-details" aria-label={`Details of ${entry.name}`} aria-busy={loading}>
      <header className="enc-details-head">
        <h2 className="type-h3">{entry.name}</h2>
        {entry.id !== entry.name && <code className="enc-id">{entry.id}</code>}
        {details?.url && (
          <a href={details.url} target="_blank" rel="noreferrer noopener">
            Page at {host}
          </a>
        )}
        <span className="spring" />
        {entry.state === "ready" && (
          <>
            <Button size="small" disabled={view.measuring[id] !== undefined} onClick={() => actions.measure(id)}>
              Measure
            </Button>
            <Button size="small" tone="primary" onClick={() => actions.use(entry)}>
              Use
            </Button>
          </>
        )}
        <IconButton icon="close" label="Close details (Esc)" onClick={onClose} />
      </header>
      <div className="enc-details-body">
        {error && (
          <ErrorBlock
            error={error}
            title="The details could not be read"
            actions={
              <Button
                size="small"
                onClick={() => {
                  setError(null);
                  setAsked(false);
                }}
              >
                Dismiss
              </Button>
            }
          />
        )}
        {details && <Contradictions details={details} />}
        {(details?.notes ?? (entry.note === null ? [] : [entry.note])).map((note) => (
          <p key={note} className="enc-note">
            {note}
          </p>
        ))}
        <Facts entry={details?.entry ?? entry} details={details} now={entry} />
        {entry.progress !== null && <PartFiles entry={entry} />}
        {details && details.prompts.length > 0 && <Prompts details={details} />}
        {entry.state === "ready" && <CellPreview id={id} prompts={details?.prompts ?? []} />}
        {details && details.files.length > 0 && entry.progress === null && <Files details={details} />}
        {details && details.onnxVariants.length > 0 && <Variants details={details} actions={actions} host={host} />}
        {!local && !asked && (
          <div className="enc-ask">
            <Button size="small" disabled={view.settings?.offline === true} onClick={() => setAsked(true)}>
              Ask {host} for its files
            </Button>
            <span className="muted">
              {view.settings?.offline === true
                ? "Parallax is set to work offline."
                : "What is shown here is from the catalogue that ships with Parallax."}
            </span>
          </div>
        )}
        {loading && <p className="muted">{asked ? `Asking ${host}…` : "Reading its files…"}</p>}
      </div>
    </section>
  );
}

function Contradictions({ details }: { details: Details }) {
  if (details.contradictions.length === 0) return null;
  return (
    <div className="enc-contradictions">
      <table className="enc-table">
        <caption>
          ≠ The folder and the catalogue disagree. What is used is marked; an option of loadEncoder goes over both.
        </caption>
        <thead>
          <tr>
            <th scope="col">field</th>
            <th scope="col">the folder says</th>
            <th scope="col">the catalogue says</th>
            <th scope="col">used</th>
          </tr>
        </thead>
        <tbody>
          {details.contradictions.map(({ field, folder, catalogue, used }) => (
            <tr key={field}>
              <th scope="row">{field}</th>
              <td className={used === "folder" ? "enc-used" : ""}>{folder}</td>
              <td className={used === "catalogue" ? "enc-used" : ""}>{catalogue}</td>
              <td>{used === "user" ? "what you said" : `the ${used}`}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** `now`: the row as it is at this moment; `entry` may be older, or richer by what the hub said. */
function Facts({ entry, details, now }: { entry: EncoderEntry; details: Details | null; now: EncoderEntry }) {
  const { speed } = now;
  const known = (value: number | null, unit: string) => (value === null ? "–" : `${formatCount(value)} ${unit}`);
  const rows: [string, string][] = [
    ["pooling", poolingText(entry.pooling)],
    ["normalised", entry.normalised === null ? "–" : entry.normalised ? "yes, vectors have length 1" : "no"],
    ["vectors", known(entry.dimensions, "dimensions")],
    ["length limit", known(entry.maxTokens, "tokens")],
    ["size", entry.sizeBytes === null ? "–" : formatDiskBytes(entry.sizeBytes)],
    ["licence", entry.licence ?? "not known"],
    ["languages", entry.languages.length > 12 ? languagesText(entry.languages) : entry.languages.join(", ") || "–"],
    ["weights' sha256", TRUST_WORDS[entry.sha256]],
    [
      "speed here",
      speed === null
        ? "not measured"
        : `${formatRate(speed.textsPerSecond, "texts")} · ${speed.provider}, ${speed.precision}, ${speed.threads} ${speed.threads === 1 ? "thread" : "threads"} · ${formatAge(speed.measuredAt, Date.now())}`,
    ],
    ["used by", now.usedBy.length === 0 ? "nothing that Parallax knows" : usesText(now.usedBy)],
  ];
  if (entry.revision !== null) rows.push(["revision", entry.revision.slice(0, 12)]);
  if (details?.folder) rows.push(["folder", details.folder]);
  const named = new Set([...rows.map(([name]) => name), "licence", "languages"]);
  for (const { field, value } of details?.spec ?? []) if (!named.has(field)) rows.push([field, value]);
  return (
    <dl className="enc-facts">
      {rows.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function PartFiles({ entry }: { entry: EncoderEntry }) {
  const { progress } = entry;
  if (progress === null) return null;
  return (
    <table className="enc-table">
      <caption>Files of the download</caption>
      <tbody>
        {progress.files.map((file) => (
          <tr key={file.path}>
            <th scope="row">{file.path}</th>
            <td className="enc-number">{bytesOf(file.doneBytes, file.totalBytes)}</td>
            <td className={file.doneBytes >= file.totalBytes ? "enc-tone-ok" : "muted"}>
              {file.doneBytes >= file.totalBytes
                ? "✓ here"
                : `${Math.floor((100 * file.doneBytes) / Math.max(1, file.totalBytes))} %`}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

const MOST_PROMPTS = 12;

function Prompts({ details }: { details: Details }) {
  const [all, setAll] = useState(false);
  const shown = all ? details.prompts : details.prompts.slice(0, MOST_PROMPTS);
  return (
    <div>
      <table className="enc-table">
        <caption>Prompts of its authors; spaces count</caption>
        <tbody>
          {shown.map(({ name, template }) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>
                <code>{JSON.stringify(template)}</code>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {details.prompts.length > shown.length && (
        <Button size="small" tone="quiet" onClick={() => setAll(true)}>
          Show all {details.prompts.length}
        </Button>
      )}
    </div>
  );
}

function CellPreview({ id, prompts }: { id: string; prompts: Details["prompts"] }) {
  const code = encoderCell(id, prompts);
  return (
    <div>
      <p className="type-caption">The cell that Use writes and runs</p>
      <div className="enc-cell-preview">
        {/* biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region is reached by keyboard */}
        <pre tabIndex={0}>
          <code>{code}</code>
        </pre>
        <Button
          size="small"
          tone="quiet"
          onClick={() => {
            copyText(code).then(
              () => announce("Copied the cell."),
              (error: unknown) => announce(`Not copied: ${String(error)}`),
            );
          }}
        >
          Copy
        </Button>
      </div>
    </div>
  );
}

function Files({ details }: { details: Details }) {
  return (
    <table className="enc-table">
      <caption>Files</caption>
      <thead>
        <tr>
          <th scope="col">file</th>
          <th scope="col" className="enc-number">
            size
          </th>
          <th scope="col">checksum</th>
          <th scope="col">how it is known</th>
        </tr>
      </thead>
      <tbody>
        {details.files.map((file) => (
          <tr key={file.path}>
            <th scope="row">{file.path}</th>
            <td className="enc-number">{file.sizeBytes < 0 ? "–" : formatDiskBytes(file.sizeBytes)}</td>
            <td title={file.sha256 ?? file.gitSha1 ?? undefined}>
              <code>
                {file.sha256 !== null
                  ? `sha256 ${file.sha256.slice(0, 12)}…`
                  : file.gitSha1 !== null
                    ? `git ${file.gitSha1.slice(0, 12)}…`
                    : "–"}
              </code>
            </td>
            <td>{TRUST_SHORT[file.trust]}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Variants({ details, actions, host }: { details: Details; actions: EncodersActions; host: string }) {
  const hub = details.entry.source === "hub";
  return (
    <table className="enc-table">
      <caption>ONNX files that could be run in place of the weights</caption>
      <tbody>
        {details.onnxVariants.map((variant) => (
          <tr key={variant.path}>
            <th scope="row">{variant.path}</th>
            <td className="enc-number">{formatDiskBytes(variant.sizeBytes)}</td>
            <td>
              {variant.installed ? (
                "✓ here"
              ) : hub ? (
                <Button
                  size="small"
                  aria-label={`Download ${variant.path} from ${host}`}
                  title={`Download ${variant.path} from ${host}`}
                  onClick={() => actions.download(details.entry.id, { variant: variant.path })}
                >
                  Download
                </Button>
              ) : (
                "not here"
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
