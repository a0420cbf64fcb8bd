// The comparison as tables: methods by metrics, the best of each marked.
import type { Table } from "../../src/view/index.ts";
import { CONTROLS } from "./evaluation-methods.ts";
import { METRIC_NAMES, METRICS, type MetricInfo, type MetricName } from "./evaluation-metrics.ts";
import { estimate, isClearlyLarger, standing, type Estimate } from "./evaluation-statistics.ts";
import type { NetworkResult } from "./evaluation-study.ts";

/** Around what is best; {@link boldCells} makes it bold. */
const BOLD = "**";
const CLOSE = " ≈";

const FAMILIES: Readonly<Record<MetricInfo["family"], string>> = {
  removal: "What the network does without, or with only, the pixels that count most",
  place: "Where the maps lie",
  numbers: "What their numbers say",
};
const ARROWS = { large: " ↑", small: " ↓" };

export const metricInfo = (name: MetricName): MetricInfo => METRICS[name];

/** The metrics that were asked for. */
export const metricsOf = ({ methods }: NetworkResult): MetricName[] =>
  METRIC_NAMES.filter((name) => Object.values(methods)[0]!.values[name] !== undefined);

/** Values by method; `controls` says whether those that know nothing of the network are among them. */
export const valuesOf = ({ methods }: NetworkResult, metric: MetricName, controls: boolean) =>
  Object.fromEntries(
    Object.entries(methods)
      .filter(([name]) => controls || !CONTROLS.includes(name))
      .map(([name, { values }]) => [name, values[metric]!] as const),
  );

/** As in "0.51 ± 0.08"; "–" where there is nothing to say. */
export function estimateText({ mean, error, count }: Estimate, pictures: number): string {
  if (count === 0) return "–";
  const some = count < pictures ? ` (${count} of ${pictures})` : "";
  return mean.toFixed(2) + (Number.isNaN(error) ? "" : ` ± ${error.toFixed(2)}`) + some;
}

/** One table for each family of metrics. */
export function comparisonTables(result: NetworkResult): Table[] {
  const asked = metricsOf(result);
  return Object.entries(FAMILIES).map(([family, caption]) => {
    const metrics = asked.filter((name) => metricInfo(name).family === family);
    const cells = metrics.map((metric) => column(result, metric));
    return {
      caption: `${caption}. Mean ± standard error over ${result.network.names.length} pictures.`,
      columns: ["method", ...metrics.map(heading)],
      rows: Object.keys(result.methods).map((name) => [name, ...cells.map((cell) => cell(name))]),
    };
  });
}

const heading = (metric: MetricName): string => {
  const { label, good } = metricInfo(metric);
  return label + (good ? ARROWS[good] : "");
};

function column(result: NetworkResult, metric: MetricName): (method: string) => string {
  const { good } = metricInfo(metric);
  const place = good && standing(valuesOf(result, metric, false), good);
  return (method) => {
    const text = estimateText(estimate(result.methods[method]!.values[metric]!), result.network.names.length);
    if (method === place?.best) return BOLD + text + BOLD;
    return place?.close.includes(method) ? text + CLOSE : text;
  };
}

/** For terminals: what is best has a star behind it. */
export const starred = (table: Table): string[][] =>
  table.rows.map((row) =>
    row.map((cell) => String(cell)).map((c) => (c.startsWith(BOLD) ? `${c.slice(BOLD.length, -BOLD.length)} *` : c)),
  );

/** Cells of a page whose text is marked become bold. */
export const boldCells = (html: string): string =>
  html.replaceAll(/<td([^>]*)>\*\*([^<]*)\*\*<\/td>/g, "<td$1><strong>$2</strong></td>");

/** Methods that are clearly better than every control, by a metric. */
export function beyondControls(result: NetworkResult, metric: MetricName): string[] {
  const values = valuesOf(result, metric, true);
  const sign = metricInfo(metric).good === "small" ? -1 : 1;
  const signed = (name: string): number[] => Array.from(values[name]!, (v) => sign * v);
  const controls = CONTROLS.filter((name) => name in values);
  return Object.keys(values).filter(
    (name) => !controls.includes(name) && controls.every((control) => isClearlyLarger(signed(name), signed(control))),
  );
}
