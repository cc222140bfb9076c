/** Log, configuration and checkpoints of the open run. */
import { useEffect, useId, useRef, useState } from "react";
import { describeLoss } from "../../../kernels/protocol/losses.ts";
import type { RunSummary } from "../../../kernels/protocol/run-files.ts";
import { metricName } from "../../plot/metric-names.ts";
import type { RunFeed } from "../../plot/run/run-feed.ts";
import { runWord } from "../../plot/run/run-state.tsx";
import { announce } from "../../ui/announce.ts";
import { Button } from "../../ui/button.tsx";
import { copyText } from "../../ui/clipboard.ts";
import { formatCompact, formatCount, formatFixed, plural } from "../../ui/numbers.ts";
import { Tabs } from "../../ui/tabs.tsx";

type Tab = "log" | "config" | "checkpoints";

export function RunDetails({ run, feed }: { run: RunSummary; feed: RunFeed | null }) {
  const [tab, setTab] = useState<Tab>("log");
  const panel = useId();
  return (
    <section className="runs-details" aria-label={`Details of ${run.config.name}`}>
      <Tabs
        label="Details"
        active={tab}
        panelId={panel}
        onSelect={(id) => setTab(id as Tab)}
        items={[
          { id: "log", label: "Log" },
          { id: "config", label: "Config" },
          { id: "checkpoints", label: "Checkpoints" },
        ]}
      />
      <div id={panel} role="tabpanel" aria-label={tab} className="runs-panel">
        {tab === "log" && <Log feed={feed} />}
        {tab === "config" && <Config run={run} />}
        {tab === "checkpoints" && <Checkpoints run={run} feed={feed} />}
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
    ["pairs", `${plural(config.data.n, "pair")} from ${config.data.source}`],
    ["loss", describeLoss(config.loss)],
    ["batch", `${config.batchSize} pairs, up to ${config.maxTokens} tokens`],
    ["steps", formatCount(config.steps)],
    [
      "learning rate",
      `${formatCompact(config.learningRate)}, ${config.schedule}, warm-up ${formatFixed(config.warmupRatio * 100, 0)} %`,
    ],
    [
      "AdamW",
      `weight decay ${formatCompact(config.weightDecay)}, gradient norm cut at ${formatCompact(config.clipNorm)}`,
    ],
    ["word embeddings", config.freezeWordEmbeddings ? "frozen" : "trained"],
    [
      "prompts",
      config.prompts.anchor === "" && config.prompts.positive === ""
        ? "none"
        : `anchor “${config.prompts.anchor}”, positive “${config.prompts.positive}”`,
    ],
    ["evaluation", config.evaluation === null ? "none" : `every ${plural(config.evaluation.every, "step")}`],
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

function Checkpoints({ run, feed }: { run: RunSummary; feed: RunFeed | null }) {
  const { config, status } = run;
  const word = runWord(run);
  const evals = feed?.series.evals ?? [];
  const last = status.lastCheckpoint;
  const done = word === "done";
  return (
    <div className="runs-checkpoints">
      <p>
        {last === null
          ? `No checkpoint yet. One is written every ${plural(config.checkpointEvery, "step")}.`
          : `The newest checkpoint is of step ${formatCount(last)}; one is written every ${plural(config.checkpointEvery, "step")}.`}
        {done && " The finished encoder is in the folder export/."}
      </p>
      {done && (
        <pre className="runs-code">
          <code>{`const tuned = await loadEncoder(${JSON.stringify(`${run.folder}/export`)});`}</code>
        </pre>
      )}
      {evals.length > 0 && (
        <table className="runs-evals">
          <caption>Evaluations, ×100 with 95 % interval</caption>
          <thead>
            <tr>
              <th scope="col">step</th>
              <th scope="col">{metricName(evals[0]!.metric)}</th>
              <th scope="col">interval</th>
              <th scope="col">n</th>
              <th scope="col">seed</th>
            </tr>
          </thead>
          <tbody>
            {evals.map((point) => (
              <tr key={`${point.step}-${point.metric}`}>
                <th scope="row">{point.step === 0 ? "base" : formatCount(point.step)}</th>
                <td>{formatFixed(point.score * 100, 2)}</td>
                <td>
                  {formatFixed(point.low * 100, 2)} to {formatFixed(point.high * 100, 2)}
                </td>
                <td>{formatCount(point.n)}</td>
                <td>{point.seed}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </div>
  );
}
