// A comparison of methods by metrics as a section of a report.
import { ArgumentError, ShapeError } from "../tensor/errors.ts";
import { barChart } from "./bar-chart.ts";
import type { Figure, ReportSection } from "./report.ts";

export interface EvaluationSectionOptions {
  /** Names of the columns. */
  metrics: readonly string[];
  /** A row for each method: its name, and the mean of every metric; NaN where there is none. */
  rows: readonly (readonly [string, ...number[]])[];
  /** Default "Evaluation". */
  heading?: string;
  /** By metric: what it says of a method, and which values are good. */
  captions?: Readonly<Record<string, string>>;
}

/**
 * The result of `evaluate` as a table, and as bars for every metric.
 * @returns a section for `report({ sections: [...] })`
 * @throws ArgumentError without methods or metrics, ShapeError for rows of another length
 */
export function evaluationSection(options: EvaluationSectionOptions): ReportSection {
  const { metrics, rows, heading = "Evaluation", captions = {} } = options;
  if (metrics.length === 0 || rows.length === 0)
    throw new ArgumentError(`evaluationSection: ${rows.length} methods and ${metrics.length} metrics; expected some`);
  const wrong = rows.find((row) => row.length !== metrics.length + 1);
  if (wrong)
    throw new ShapeError(
      `evaluationSection: "${wrong[0]}" has ${wrong.length - 1} numbers for ${metrics.length} metrics`,
    );
  const figures = metrics.flatMap((title, m): Figure[] => {
    const all = rows.map(([label, ...means]) => ({ label, value: means[m]! }));
    const bars = all.filter(({ value }) => Number.isFinite(value));
    const caption = captions[title] ?? "Mean over the examples.";
    return bars.length > 0 ? [{ content: barChart({ title, bars, width: 420 }), caption }] : [];
  });
  const table = {
    caption: "Means over the examples for which the metric has a meaning.",
    columns: ["method", ...metrics],
    rows: rows.map((row) => row.map((v) => (typeof v === "string" || Number.isFinite(v) ? v : "–"))),
  };
  return { heading, figures, tables: [table] };
}
