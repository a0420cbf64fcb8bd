// The facts of a run as names and values: printed, stored as JSON and shown in the report.
import type { AdapterInfo } from "../tensor/adapter.ts";
import { formatNumber } from "../view/index.ts";
import type { Arguments } from "./arguments.ts";
import type { Explanation } from "./explain.ts";
import type { LoadedModel } from "./models.ts";
import type { PictureFormat } from "./picture.ts";
import { scoreName } from "./pictures.ts";
import { factTable, textTable } from "./table.ts";

export interface Run {
  readonly args: Arguments;
  readonly loaded: LoadedModel;
  readonly image: string;
  readonly adapter: AdapterInfo;
  readonly result: Explanation;
  readonly seconds: number;
}

export const TOP_COLUMNS = ["class", "index", "score", "probability"] as const;

/** The likeliest classes, a row each; outputs that are probabilities fill both of the last columns. */
export function topRows({ top }: Explanation): [name: string, index: number, score: number, probability: number][] {
  return top.map(({ name, index, score, probability }) => [name, index, score, probability]);
}

export function facts({ args, loaded, image, adapter, result, seconds }: Run): Record<string, string> {
  const { integrated, target } = result;
  const [at, from] = [integrated.scores.input.data[0]!, integrated.scores.baseline.data[0]!];
  const { plan } = integrated;
  return {
    model: `${loaded.name} (${loaded.source})`,
    picture: `${image}, as ${pictureText(loaded.format)}`,
    explained: `${scoreName(result)}${target.name === `class ${target.index}` ? "" : ` (class ${target.index})`}`,
    "f(x), at the picture": formatNumber(at),
    "f(x'), at the baseline": `${formatNumber(from)} (${args.baseline})`,
    "sum of attributions": formatNumber(result.sum),
    "delta = sum - (f(x) - f(x'))": `${formatNumber(integrated.delta.data[0]!)}${share(integrated.delta.data[0]!, at - from)}`,
    "rule and steps": `${integrated.rule}, ${integrated.steps}${changeText(integrated.change, integrated.evaluations, integrated.steps)}`,
    "the integral": `${work(plan)}, ${megabytes(plan.bytes)}, ${formatNumber(round(result.integrationSeconds))} s`,
    "all together": `${work(result)}, ${megabytes(result.peakBytes)} at most, ${formatNumber(round(seconds))} s`,
    adapter: adapterText(adapter),
    ...(loaded.assumed.length > 0 && { assumed: loaded.assumed.join("; ") }),
  };
}

export function summaryText(run: Run): string {
  const rows = topRows(run.result).map(([name, index, score, p]) => [
    name,
    String(index),
    score.toFixed(3),
    p.toFixed(3),
  ]);
  return `${textTable(TOP_COLUMNS, rows)}\n\n${factTable(facts(run))}`;
}

/** What to do about an integral that is not accurate enough to be taken at its word; undefined if it is. */
export function adviceOn({ integrated }: Explanation): string | undefined {
  const { delta, scores, steps } = integrated;
  const difference = Math.abs(scores.input.data[0]! - scores.baseline.data[0]!);
  if (Math.abs(delta.data[0]!) <= 0.05 * difference) return undefined;
  return `note: the attributions miss more than 5 % of f(x) - f(x'); more points help, e.g. --steps ${4 * steps}`;
}

/** The same for programs. */
export function summaryJson({ args, loaded, image, adapter, result, seconds }: Run): unknown {
  const { integrated, target, sum, dispatches, submits, peakBytes } = result;
  return {
    model: { name: loaded.name, source: loaded.source },
    image,
    target: { index: target.index, name: target.name },
    score: args.score,
    baseline: args.baseline,
    top: result.top,
    scoreAtInput: integrated.scores.input.data[0],
    scoreAtBaseline: integrated.scores.baseline.data[0],
    sum,
    delta: integrated.delta.data[0],
    rule: integrated.rule,
    steps: integrated.steps,
    evaluations: integrated.evaluations,
    ...(integrated.change !== undefined && { change: integrated.change }),
    path: {
      alphas: result.interior.alphas,
      scores: Array.from(result.interior.scores.data),
      meanAbsGradient: result.interior.meanAbsGradient,
    },
    plan: integrated.plan,
    dispatches,
    submits,
    peakBytes,
    adapter,
    seconds: round(seconds),
  };
}

const pictureText = ({ width, height, channels }: PictureFormat): string =>
  `${width} x ${height} ${channels === "grey" ? "grey" : "colour"} pixels`;
const work = ({ dispatches, submits }: { dispatches: number; submits: number }): string =>
  `${dispatches} dispatches, ${submits} ${submits === 1 ? "submit" : "submits"}`;
const megabytes = (bytes: number): string => `${formatNumber(round(bytes / 2 ** 20))} MiB`;
const round = (value: number): number => Math.round(value * 10) / 10;

function share(delta: number, difference: number): string {
  return difference === 0
    ? ""
    : ` (${formatNumber(Number(((100 * Math.abs(delta)) / Math.abs(difference)).toPrecision(2)))} % of the difference)`;
}

function changeText(change: number | undefined, evaluations: number, steps: number): string {
  if (change === undefined) return evaluations === steps ? " points" : ` points, ${evaluations} evaluations`;
  return ` points, found in ${evaluations} evaluations; last change ${formatNumber(Number(change.toPrecision(2)))}`;
}

function adapterText({ vendor, architecture, description, software }: AdapterInfo): string {
  const name = description || [vendor, architecture].filter(Boolean).join(" ") || "unnamed";
  return software ? `${name} (software: computes on the CPU)` : name;
}
