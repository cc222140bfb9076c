/** Log, configuration, data, checkpoints and notes of the open run. */
import { useEffect, useId, useRef } from "react";
import { describeLoss } from "../../../kernels/protocol/losses.ts";
import { type RunSummary, runTitle } from "../../../kernels/protocol/run-files.ts";
import type { RunFeed } from "../../plot/run/run-feed.ts";
import { announce } from "../../ui/announce.ts";
import { Button } from "../../ui/button.tsx";
import { copyText } from "../../ui/clipboard.ts";
import { formatCompact, formatCount, formatFixed, plural } from "../../ui/numbers.ts";
import { Tabs } from "../../ui/tabs.tsx";
import { CheckpointsTab, DataTab, NotesTab } from "./run-tabs.tsx";

export type Tab = "log" | "config" | "data" | "checkpoints" | "notes";

interface Props {
  run: RunSummary;
  feed: RunFeed | null;
  tab: Tab;
  onTab(tab: Tab): void;
}

export function RunDetails({ run, feed, tab, onTab }: Props) {
  const panel = useId();
  return (
    <section className="runs-details" aria-label={`Details of ${runTitle(run)}`}>
      <Tabs
        label="Details"
        active={tab}
        panelId={panel}
        onSelect={(id) => onTab(id as Tab)}
        items={[
          { id: "log", label: "Log" },
          { id: "config", label: "Config" },
          { id: "data", label: "Data" },
          { id: "checkpoints", label: "Checkpoints" },
          { id: "notes", label: "Notes" },
        ]}
      />
      <div id={panel} role="tabpanel" aria-label={tab} className="runs-panel">
        {tab === "log" && <Log feed={feed} />}
        {tab === "config" && <Config run={run} />}
        {tab === "data" && <DataTab run={run} />}
        {tab === "checkpoints" && <CheckpointsTab run={run} feed={feed} />}
        {tab === "notes" && <NotesTab run={run} />}
      </div>
    </section>
  );
}

/** The end of the log, which follows new lines while its end is in view. Written past React: it grows with every step. */
function Log({ feed }: { feed: RunFeed | null }) {
  const box = useRef<HTMLPreElement>(null);
  useEffect(() => {
    const element = box.current;
    if (!element || !feed) return;
    const show = () => {
      const atEnd = element.scrollHeight - element.scrollTop - element.clientHeight < 24;
      element.textContent = feed.log === "" ? "Nothing written yet." : tail(feed.log);
      if (atEnd) element.scrollTop = element.scrollHeight;
    };
    show();
    return feed.subscribe(show);
  }, [feed]);
  // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrolling region is reached by keyboard
  return <pre ref={box} className="runs-log" tabIndex={0} role="log" aria-live="off" aria-label="Log" />;
}

function tail(log: string): string {
  const lines = log.split("\n");
  return lines.length > 1000
    ? `… ${formatCount(lines.length - 1000)} earlier lines are in log.txt\n${lines.slice(-1000).join("\n")}`
    : log;
}

function Config({ run }: { run: RunSummary }) {
  const { config, folder } = run;
  const rows: [string, string][] = [
    ["encoder", `${config.encoder.name} (${config.encoder.reference})`],
    ["weights", `sha256 ${config.encoder.weightsSha256.slice(0, 16)}…`],
    ["data", `${plural(config.data.n, "row")} from ${config.data.source}`],
    ["loss", describeLoss(config.loss)],
    [
      "batch",
      `${config.batchSize} rows, up to ${config.maxTokens} tokens${config.accumulate > 1 ? `, ${config.accumulate} a step` : ""}${config.chunk === null ? "" : `, in chunks of ${config.chunk} texts`}`,
    ],
    ["steps", formatCount(config.steps)],
    [
      "learning rate",
      `${formatCompact(config.learningRate)}, ${config.schedule}, warm-up ${formatFixed(config.warmupRatio * 100, 0)} %`,
    ],
    [
      "AdamW",
      `weight decay ${formatCompact(config.weightDecay)}, gradient norm cut at ${formatCompact(config.clipNorm)}`,
    ],
    [
      "adapters",
      config.lora === null
        ? "none: the weights are trained"
        : `LoRA rank ${config.lora.rank}, alpha ${config.lora.alpha}, on ${config.lora.targets.join(", ")}`,
    ],
    ...(config.matryoshka === null
      ? []
      : ([["Matryoshka", config.matryoshka.dimensions.join(", ")]] as [string, string][])),
    ...(config.freezeLayers === 0 && config.layerDecay === 1 && config.dropout === 0
      ? []
      : ([
          ["layers", `${config.freezeLayers} frozen, rate × ${config.layerDecay} a layer, dropout ${config.dropout}`],
        ] as [string, string][])),
    ["word embeddings", config.freezeWordEmbeddings ? "frozen" : "trained"],
    [
      "prompts",
      config.prompts.anchor === "" && config.prompts.positive === ""
        ? "none"
        : `anchor “${config.prompts.anchor}”, positive “${config.prompts.positive}”`,
    ],
    [
      "evaluation",
      config.evaluation === null
        ? "none"
        : `${plural(config.evaluation.files.length, "task")}, every ${plural(config.evaluation.every, "step")}${config.evaluation.patience === null ? "" : `, ends after ${config.evaluation.patience} without a new best`}; ${config.keep} is exported`,
    ],
    ["checkpoint", `every ${plural(config.checkpointEvery, "step")}`],
    ["seed", String(config.seed)],
    ["provider", `${config.provider}, ${plural(config.threads, "thread")}`],
    ["started", config.createdAt],
    ["folder", folder],
  ];
  return (
    <div>
      <dl className="runs-config">
        {rows.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      <Button
        size="small"
        onClick={() => {
          copyText(JSON.stringify(config, null, 2)).then(
            () => announce("Copied the configuration."),
            (error: unknown) => announce(`Not copied: ${String(error)}`),
          );
        }}
      >
        Copy as JSON
      </Button>
    </div>
  );
}
