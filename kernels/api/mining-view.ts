/** Reports of made training data as tables for people: examples as rows, counts as notes. */
import { count } from "../data/table-view.ts";
import type { FilterReport } from "../mining/consistency.ts";
import type { LeakReport } from "../mining/leaks.ts";
import type { MiningReport } from "../mining/mine.ts";
import type { ScoreReport } from "../mining/score.ts";
import type { TableColumn, TableView } from "../protocol/display.ts";

const text = (name: string): TableColumn => ({ name, kind: "text" });
const number = (name: string, decimals = 3): TableColumn => ({ name, kind: "number", decimals });

export function miningView(report: MiningReport): TableView {
  const { passedOver: over, examples } = report;
  const line = (what: string) => (each: MiningReport["examples"]["mined"][number]) => [
    each.row + 1,
    what,
    each.anchor,
    each.positive,
    each.positiveScore,
    each.negative,
    each.score,
    each.rank,
  ];
  const rows = [...examples.mined.map(line("mined")), ...examples.passedOver.map(line("passed over"))];
  return {
    version: 1,
    title: "Hard negatives",
    columns: [
      number("row", 0),
      text("what"),
      text("anchor"),
      text("positive"),
      number("cosine"),
      text("negative"),
      number("its cosine"),
      number("rank", 0),
    ],
    rows,
    total: rows.length,
    notes: [
      `${count(report.mined)} negatives for ${count(report.kept)} of ${count(report.rows)} rows, from ${count(report.candidates)} candidates.`,
      `Mean cosine: positives ${report.meanPositive.toFixed(3)}, negatives ${report.meanNegative.toFixed(3)}.`,
      `Passed over within the ranks: ${count(over.relativeMargin)} too near to the positive's cosine, ${count(over.margin)} within the margin, ${count(over.already)} that the row had. ${count(report.rightAnswers)} right answers have no rank.`,
      ...(report.dropped > 0
        ? [
            `${count(report.dropped)} rows were dropped: too few candidates remained. short: "fill" or "keep" keeps them.`,
          ]
        : []),
      ...(report.filled > 0 ? [`${count(report.filled)} rows were filled up with random texts.`] : []),
      ...(report.scoresRemoved > 0
        ? [
            `The scores of ${count(report.scoresRemoved)} rows were removed: they lack the new negatives. scoreRows makes new ones.`,
          ]
        : []),
    ],
  };
}

export function filterView(report: FilterReport): TableView {
  const { k, ranks, examples } = report;
  return {
    version: 1,
    title: "Consistency filter",
    columns: [
      number("row", 0),
      text("anchor"),
      text("positive"),
      number("cosine"),
      text("nearer"),
      number("its cosine"),
    ],
    rows: examples.map((each) => [each.row + 1, each.anchor, each.positive, each.score, each.nearer, each.nearerScore]),
    total: examples.length,
    notes: [
      `${count(report.kept)} of ${count(report.rows)} rows are kept, ${count(report.dropped)} are dropped (examples above): their positive is not among the ${k} nearest of ${count(report.pool)} texts.`,
      `Ranks of the positives: ${ranks.map((n, i) => `${i + 1}: ${count(n)}`).join(", ")}, worse: ${count(report.dropped)}.`,
    ],
  };
}

export function scoresView(report: ScoreReport): TableView {
  return {
    version: 1,
    title: "Teacher's scores",
    columns: [
      number("row", 0),
      text("anchor"),
      text("positive"),
      number("score"),
      text("negative"),
      number("its score"),
    ],
    rows: report.examples.map((each) => [
      each.row + 1,
      each.anchor,
      each.positive,
      each.score,
      each.negative,
      each.negativeScore,
    ]),
    total: report.examples.length,
    notes: [
      `${count(report.scores)} scores in ${count(report.rows)} rows; mean ${report.meanPositive.toFixed(3)} for positives${Number.isNaN(report.meanNegative) ? "" : `, ${report.meanNegative.toFixed(3)} for negatives`}.`,
      ...(report.doubtful > 0
        ? [`In ${count(report.doubtful)} rows a negative scores at least as high as the positive (examples above).`]
        : []),
    ],
  };
}

export function leaksView(report: LeakReport): TableView {
  const { parts, examples } = report;
  return {
    version: 1,
    title: "Texts in training and evaluation",
    columns: [text("task"), text("part"), number("texts", 0), number("shared", 0), number("rows", 0)],
    rows: parts.map(({ task, part, texts, shared, rows }) => [task, part, texts, shared, rows]),
    total: parts.length,
    notes: [
      report.leaking === 0
        ? `None of ${count(report.rows)} rows shares a text with the evaluation.`
        : `${count(report.leaking)} of ${count(report.rows)} rows share a text with the evaluation.`,
      ...examples.slice(0, 4).map(({ row, side, text, part, task }) => {
        const cut = text.length > 100 ? `${text.slice(0, 100)}…` : text;
        return `Row ${row + 1}, ${side}: "${cut}" is among the ${part} of ${task}.`;
      }),
    ],
  };
}
