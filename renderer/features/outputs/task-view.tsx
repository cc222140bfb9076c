/** One score on one task: what must be read before it, the score with its interval, how to make it again. */
import type { EncoderIdentity, TaskResult } from "../../../kernels/protocol/results.ts";
import { metricName } from "../../plot/metric-names.ts";
import { formatCount, formatDuration, formatFixed } from "../../ui/numbers.ts";
import { IntervalBar } from "./interval-bar.tsx";

export function TaskView({ result }: { result: TaskResult }) {
  const { interval, report } = result;
  const percent = (v: number) => formatFixed(v * 100, 2);
  const prompts = Object.entries(result.prompts).filter(([, prompt]) => prompt !== "" && prompt !== "{text}");
  return (
    <section className="out-result" aria-label={`Result on ${result.task}`}>
      <Warnings warnings={report.warnings} />
      <h3 className="out-result-title">{result.task}</h3>
      <div className="out-score">
        <span className="out-score-value">{percent(result.score)}</span>
        <span className="out-score-name">
          {metricName(result.metric)} ×100
          <span className="out-muted">
            {formatFixed(interval.level * 100, 0)} % interval {percent(interval.low)} to {percent(interval.high)}
          </span>
        </span>
        <IntervalBar score={result.score} low={interval.low} high={interval.high} />
      </div>
      <dl className="out-facts">
        <Fact name="n">
          {formatCount(result.n)} {result.unit}
        </Fact>
        <Fact name="seed">{formatFixed(result.seed, 0)}</Fact>
        <Fact name="encoder">{encoderText(result.encoder)}</Fact>
        <Fact name="prompt">
          {prompts.length === 0 ? (
            "none"
          ) : (
            <span>
              {prompts.map(([side, prompt]) => (
                <span key={side} className="out-prompt-side">
                  {prompts.length > 1 && `${side} `}
                  <code>{prompt}</code>{" "}
                </span>
              ))}
            </span>
          )}
        </Fact>
        {Object.entries(result.more).map(([name, value]) => (
          <Fact key={name} name={metricName(name)}>
            {percent(value)}
          </Fact>
        ))}
      </dl>
      <p className="out-note">
        {[interval.method, Number.isFinite(result.elapsedMs) ? formatDuration(result.elapsedMs) : ""]
          .filter(Boolean)
          .join(" · ")}
      </p>
    </section>
  );
}

function Fact({ name, children }: { name: string; children: React.ReactNode }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Sentences that stand before any number. */
export function Warnings({ warnings }: { warnings: readonly string[] }) {
  if (warnings.length === 0) return null;
  return (
    <ul className="out-warnings" aria-label="Read this first">
      {warnings.map((warning) => (
        <li key={warning}>
          <span aria-hidden="true">≠</span> {warning}
        </li>
      ))}
    </ul>
  );
}

export function encoderText(encoder: EncoderIdentity): string {
  const parts = [encoder.name];
  if (encoder.dimensions > 0) parts.push(`${encoder.dimensions} d`);
  parts.push(`pooling ${encoder.pooling}`);
  if (encoder.precision) parts.push(encoder.precision);
  if (encoder.provider) parts.push(encoder.provider);
  return parts.join(" · ");
}
