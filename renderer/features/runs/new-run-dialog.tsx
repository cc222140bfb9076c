/** The New run form: what to train on what, what that will take, and the cell that does it. */
import { type FormEvent, type ReactNode, useContext, useEffect, useId, useState } from "react";
import type { EncoderEntry } from "../../../kernels/protocol/encoders.ts";
import type { ErrorData } from "../../../kernels/protocol/errors.ts";
import type { LossName } from "../../../kernels/protocol/losses.ts";
import type { RunPlan } from "../../../kernels/protocol/run-plans.ts";
import { AppContext } from "../../state/hooks.ts";
import { targetDocument } from "../../state/selectors.ts";
import { Button } from "../../ui/button.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { ErrorBlock } from "../../ui/error-block.tsx";
import { formatBytes, formatCount, formatDuration, plural } from "../../ui/numbers.ts";
import { DataHead } from "./data-head.tsx";
import {
  COLUMN_PARTS,
  type ColumnPart,
  FIRST_RUN,
  faultOf,
  foundColumns,
  freeVariable,
  fromNotebook,
  hasTemperature,
  isWhole,
  LOSSES,
  lossNeeds,
  type NewRun,
  type NumberField,
  newRunCell,
  requestOf,
} from "./new-run.ts";
import { useDataFiles } from "./use-data-files.ts";
import { type Asked, usePlan, usePreview } from "./use-plan.ts";
import { type WrittenCell, writeCell } from "./write-cell.ts";

/** What was filled in last stays while the page lives. */
let kept: NewRun = FIRST_RUN;

interface Props {
  onClose(): void;
  onStarted(cell: WrittenCell): void;
}

export function NewRunDialog({ onClose, onStarted }: Props) {
  const app = useContext(AppContext);
  const id = useId();
  const [run, setRun] = useState(kept);
  const [showCode, setShowCode] = useState(false);
  const [starting, setStarting] = useState(false);
  kept = run;
  const change = (part: Partial<NewRun>) => setRun((before) => ({ ...before, ...part }));
  const encoders = useEncoderChoices();
  const files = useDataFiles();
  const preview = usePreview(run.pairs);
  const whole = isWhole(run);
  const found = preview.value === null ? null : foundColumns(preview.value.columns);
  const request = requestOf(run);
  const [measured, setMeasured] = useState("");
  const asked = JSON.stringify(request);
  const plan = usePlan(
    whole && preview.error === null ? { ...request, ...(measured === asked ? { measure: true } : {}) } : null,
  );
  const doc = app === null ? null : targetDocument(app.store.state);
  const source = () => newRunCell(run, freeVariable(doc), (file) => fromNotebook(file, doc?.path ?? null));
  // An estimate that could not be made is no reason not to start; a refusal is.
  const refused = plan.error !== null && plan.error.code !== "run.not-planned";
  const start = (event: FormEvent) => {
    event.preventDefault();
    if (app === null || !whole || refused || starting) return;
    setStarting(true);
    writeCell(app, (target) => newRunCell(run, freeVariable(target), (file) => fromNotebook(file, target.path)), {
      run: true,
      stay: true,
    }).then(
      (cell) => {
        if (cell !== null) onStarted(cell);
        onClose();
      },
      (error: unknown) => {
        setStarting(false);
        app.report(error);
      },
    );
  };
  const number = (field: NumberField, label: string, help?: string, disabled = false) => (
    <NumberInput
      label={label}
      value={disabled ? "" : run[field]}
      disabled={disabled}
      help={help}
      fault={faultOf(run, field)}
      onChange={(value) => change({ [field]: value })}
    />
  );
  return (
    <Dialog
      title="New run"
      width={760}
      onClose={onClose}
      actions={
        <>
          <Cost plan={plan} whole={whole} onMeasure={measured === asked ? null : () => setMeasured(asked)} />
          <span className="run-line-space" />
          <Button size="large" onClick={onClose}>
            Cancel
          </Button>
          <Button size="large" tone="primary" type="submit" form={id} disabled={!whole || refused || starting}>
            Start
          </Button>
        </>
      }
    >
      <form id={id} className="newrun" onSubmit={start}>
        <div className="newrun-grid">
          <Field label="Encoder">
            {(control) => (
              <select
                {...control}
                className="field"
                value={run.encoder}
                onChange={(event) => change({ encoder: event.currentTarget.value })}
              >
                {encoders.map(({ id: value, name }) => (
                  <option key={value} value={value}>
                    {name}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <Field label="Data file" help="tsv, csv, jsonl or parquet; one row is two texts that belong together.">
            {(control) => (
              <input
                {...control}
                className="field"
                data-autofocus
                list={`${id}-files`}
                value={run.pairs}
                spellCheck={false}
                placeholder="pairs.jsonl"
                onChange={(event) =>
                  change({ pairs: event.currentTarget.value, columns: FIRST_RUN.columns, dropDuplicates: false })
                }
              />
            )}
          </Field>
        </div>
        <datalist id={`${id}-files`}>
          {files.map((file) => (
            <option key={file} value={file} />
          ))}
        </datalist>
        {preview.error && <ErrorBlock error={preview.error} title="Not read" safe="Nothing was started." />}
        {preview.value && (
          <>
            <DataHead preview={preview.value} plan={plan.value} />
            <fieldset className="newrun-columns">
              <legend className="type-label">Columns</legend>
              {COLUMN_PARTS.map((part) => (
                <ColumnSelect
                  key={part}
                  part={part}
                  names={preview.value!.columns}
                  value={run.columns[part]}
                  found={part === "anchor" || part === "positive" ? (found?.[part] ?? "by its layout") : "none"}
                  onChange={(value) => change({ columns: { ...run.columns, [part]: value } })}
                />
              ))}
            </fieldset>
          </>
        )}
        <div className="newrun-grid">
          <Field label="Loss" help={`${LOSSES.find((loss) => loss.name === run.loss)?.when} ${lossNeeds(run.loss)}`}>
            {(control) => (
              <select
                {...control}
                className="field"
                value={run.loss}
                onChange={(event) => change({ loss: event.currentTarget.value as LossName })}
              >
                {LOSSES.map(({ name, label }) => (
                  <option key={name} value={name}>
                    {label}
                  </option>
                ))}
              </select>
            )}
          </Field>
          <Field label="Evaluation" help="A task file, scored pairs or a BEIR folder; scored before, during and after.">
            {(control) => (
              <input
                {...control}
                className="field"
                list={`${id}-files`}
                value={run.evaluation}
                spellCheck={false}
                placeholder="none"
                onChange={(event) => change({ evaluation: event.currentTarget.value })}
              />
            )}
          </Field>
        </div>
        <div className="newrun-numbers">
          {number("batchSize", "Batch")}
          {number("steps", "Steps", "Empty: one pass")}
          {number("learningRate", "Learning rate")}
          {number("temperature", "Temperature", undefined, !hasTemperature(run.loss))}
          {number("seed", "Seed")}
        </div>
        <label className="newrun-check">
          <input
            type="checkbox"
            checked={run.lora}
            onChange={(event) => change({ lora: event.currentTarget.checked })}
          />
          <span>
            Train adapters only (LoRA, rank 8) <span className="muted">– less memory, smaller checkpoints</span>
          </span>
        </label>
        {plan.error && (
          <ErrorBlock
            error={plan.error}
            title="Not ready"
            actions={<PlanActions error={plan.error} run={run} onChange={change} />}
          />
        )}
        {plan.value && <Duplicates plan={plan.value} run={run} found={found} onChange={change} />}
        <div>
          <Button size="small" tone="quiet" aria-expanded={showCode} onClick={() => setShowCode(!showCode)}>
            {showCode ? "Hide the cell" : "Show the cell"}
          </Button>
          <span className="muted newrun-where">
            Start writes a cell into {doc === null ? "a new notebook" : doc.name} and runs it.
          </span>
          {showCode && (
            // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region is reached by keyboard
            <section tabIndex={0} aria-label="The cell">
              <pre className="runs-code">
                <code>{source()}</code>
              </pre>
            </section>
          )}
        </div>
      </form>
    </Dialog>
  );
}

/** "about 6 min, 1.9 GB", before anything is started. */
function Cost({ plan, whole, onMeasure }: { plan: Asked<RunPlan>; whole: boolean; onMeasure: (() => void) | null }) {
  const { value, busy } = plan;
  const text = () => {
    if (!whole) return "Choose a data file to see what the run will take.";
    if (plan.error !== null && plan.error.code !== "run.not-planned") return "It cannot start like this.";
    if (value === null)
      return busy
        ? onMeasure === null
          ? "Measuring some steps…"
          : "Working out time and memory…"
        : "Time and memory are not known.";
    const time =
      value.elapsedMs === null ? "time is measured at the start" : `about ${formatDuration(value.elapsedMs)}`;
    return `${time}, ${formatBytes(value.memoryBytes)}`;
  };
  return (
    <p className="newrun-cost" role="status" aria-busy={busy}>
      <strong>{text()}</strong>
      {value !== null && whole && (
        <span className="muted">
          {" "}
          {plural(value.steps, "step")} of {value.batchSize} · {formatBytes(value.freeBytes)} free
          {value.elapsedFrom !== null && ` · by ${value.elapsedFrom}`}
        </span>
      )}
      {value !== null && whole && onMeasure !== null && !busy && (
        <Button
          size="small"
          tone="quiet"
          title="Makes some steps and one evaluation, keeps nothing"
          onClick={onMeasure}
        >
          Measure
        </Button>
      )}
    </p>
  );
}

/** The remedy of a refusal as a button, where there is one. */
function PlanActions({ error, run, onChange }: { error: ErrorData } & Changes) {
  const fits = error.details?.batchSize;
  if (/not-enough-memory|too-few/.test(error.code) && typeof fits === "number" && fits < Number(run.batchSize))
    return (
      <Button size="small" onClick={() => onChange({ batchSize: String(fits) })}>
        Batch {run.batchSize} → {fits}
      </Button>
    );
  if (error.code === "train.not-enough-memory" && !run.lora)
    return (
      <Button size="small" onClick={() => onChange({ lora: true })}>
        Train adapters only
      </Button>
    );
  if (error.code === "train.no-negatives")
    return (
      <Button size="small" onClick={() => onChange({ loss: "info-nce" })}>
        Use InfoNCE
      </Button>
    );
  return null;
}
interface Changes {
  run: NewRun;
  onChange(part: Partial<NewRun>): void;
}

interface DuplicatesProps extends Changes {
  plan: RunPlan;
  found: { anchor: string; positive: string } | null;
}

function Duplicates({ plan, run, found, onChange }: DuplicatesProps) {
  const anchor = run.columns.anchor || found?.anchor;
  const positive = run.columns.positive || found?.positive;
  const [isKept, setKept] = useState(false);
  if (run.dropDuplicates)
    return (
      <p className="newrun-note">
        Repeated rows are left out: {plural(plan.n, "row")} remain.{" "}
        <Button size="small" tone="quiet" onClick={() => onChange({ dropDuplicates: false })}>
          Keep them
        </Button>
      </p>
    );
  if (plan.duplicates === 0 || isKept) return null;
  return (
    <ErrorBlock
      tone="warning"
      error={{
        code: "train.duplicates",
        kind: "user",
        message: `${formatCount(plan.duplicates)} of ${formatCount(plan.n)} pairs are duplicates; they are trained on more than once, never in one batch.`,
      }}
      actions={
        <>
          {anchor !== undefined && positive !== undefined && (
            <Button
              size="small"
              onClick={() => onChange({ dropDuplicates: true, columns: { ...run.columns, anchor, positive } })}
            >
              Remove
            </Button>
          )}
          <Button size="small" onClick={() => setKept(true)}>
            Keep
          </Button>
        </>
      }
    />
  );
}

const PART_WORDS: Record<ColumnPart, string> = {
  anchor: "Anchor",
  positive: "Positive",
  group: "Group",
  score: "Score",
};

function ColumnSelect({ part, names, value, found, onChange }: ColumnProps) {
  return (
    <label className="newrun-column">
      <span className="type-caption">{PART_WORDS[part]}</span>
      <select className="field" value={value} onChange={(event) => onChange(event.currentTarget.value)}>
        <option value="">{found === "none" ? found : `${found} (found)`}</option>
        {names.map((name) => (
          <option key={name} value={name}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}
interface ColumnProps {
  part: ColumnPart;
  names: readonly string[];
  value: string;
  /** What the trainer takes when nothing is chosen. */
  found: string;
  onChange(value: string): void;
}

interface Control {
  id: string;
  "aria-describedby"?: string;
}

function Field({ label, help, children }: { label: string; help?: string; children(control: Control): ReactNode }) {
  const id = useId();
  return (
    <div>
      <label className="type-label" htmlFor={id}>
        {label}
      </label>
      {children({ id, ...(help === undefined ? {} : { "aria-describedby": `${id}-help` }) })}
      {help !== undefined && (
        <p id={`${id}-help`} className="type-caption">
          {help}
        </p>
      )}
    </div>
  );
}

function NumberInput({ label, value, fault, help, disabled, onChange }: NumberProps) {
  const id = useId();
  const below = fault ?? help;
  return (
    <div>
      <label className="type-label" htmlFor={id}>
        {label}
      </label>
      <input
        id={id}
        className="field tabular"
        inputMode="decimal"
        value={value}
        disabled={disabled}
        placeholder={disabled ? "–" : ""}
        aria-invalid={fault !== null}
        {...(below === undefined ? {} : { "aria-describedby": `${id}-help` })}
        onChange={(event) => onChange(event.currentTarget.value)}
      />
      {below !== undefined && (
        <p id={`${id}-help`} className={`type-caption ${fault === null ? "" : "newrun-fault"}`}>
          {below}
        </p>
      )}
    </div>
  );
}
interface NumberProps {
  label: string;
  value: string;
  fault: string | null;
  help?: string | undefined;
  disabled: boolean;
  onChange(value: string): void;
}

/** Encoders that are on this computer; the bundled one first. */
function useEncoderChoices(): Pick<EncoderEntry, "id" | "name">[] {
  const app = useContext(AppContext);
  const [entries, setEntries] = useState<EncoderEntry[]>([]);
  useEffect(() => {
    let gone = false;
    app?.client.call("encoders.list", {}).then(
      (answer) => {
        if (!gone) setEntries(answer.entries);
      },
      // The default one is always there; what is wrong with the others the Encoders screen says.
      () => undefined,
    );
    return () => {
      gone = true;
    };
  }, [app]);
  const ready = entries.filter((entry) => entry.state === "ready").map(({ id, name }) => ({ id, name }));
  return ready.some((entry) => entry.id === "default")
    ? ready
    : [{ id: "default", name: "all-MiniLM-L6-v2" }, ...ready];
}
