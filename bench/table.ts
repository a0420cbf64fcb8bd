// A result as tables, for the terminal and for the report.
import type { AdapterInfo } from "../src/tensor/index.ts";
import { formatBytes } from "../src/tensor/pool.ts";
import type { Cell, Table } from "../src/view/index.ts";
import type { ContestantResult, ControlResult, WorkloadResult } from "./result.ts";
import type { Recorded } from "./workload.ts";

interface Column {
  readonly heading: string;
  cell(contestant: Measured, result: WorkloadResult, control: ControlResult): string;
}

type Measured = ContestantResult &
  Required<Pick<ContestantResult, "times" | "median" | "min" | "max" | "first" | "counts" | "memory">>;

const COLUMNS: readonly Column[] = [
  { heading: "median ms", cell: ({ median }) => milliseconds(median) },
  { heading: "calls", cell: ({ times }) => count(times.length) },
  { heading: "min .. max", cell: ({ min, max }) => `${milliseconds(min)} .. ${milliseconds(max)}` },
  { heading: "times aumann", cell: (c, { contestants }) => ratio(c, contestants[0]!) },
  { heading: "of peak", cell: ({ median }, { flops }, control) => partOfPeak(median, flops, control) },
  { heading: "first ms", cell: ({ first }) => milliseconds(first) },
  { heading: "building", cell: ({ counts }) => (counts.building > 0 ? milliseconds(counts.building) : "-") },
  { heading: "error", cell: ({ error }) => errorText(error) },
  { heading: "dispatches", cell: ({ counts }) => count(counts.dispatches) },
  { heading: "submits", cell: ({ counts }) => count(counts.submits) },
  { heading: "readbacks", cell: ({ counts }) => count(counts.readbacks) },
  { heading: "pipelines", cell: ({ counts }) => count(counts.pipelines) },
  { heading: "uploaded", cell: ({ counts }) => formatBytes(counts.bytesUploaded) },
  { heading: "read", cell: ({ counts }) => formatBytes(counts.bytesRead) },
  { heading: "memory", cell: ({ memory }) => formatBytes(memory) },
];

/** One row a contestant. */
export function contestantTable(result: WorkloadResult, control: ControlResult): Table {
  const columns = COLUMNS.filter(({ heading }) => heading !== "of peak" || result.flops !== undefined);
  return {
    caption: `${result.name}: ${result.source}; truth: ${result.truth}; wrong beyond ${result.tolerance}`,
    columns: ["", ...columns.map(({ heading }) => heading)],
    rows: result.contestants.map((c) => [
      c.verdict === "correct" ? c.name : `${c.name}: ${c.verdict.toUpperCase()}`,
      ...columns.map(({ cell }) => (isMeasured(c) ? cell(c, result, control) : "-")),
    ]),
  };
}

const isMeasured = (c: ContestantResult): c is Measured => c.median !== undefined;

const partOfPeak = (median: number, flops: number | undefined, { flopsPerSecond }: ControlResult): string =>
  flops === undefined ? "" : percent(flops / (median / 1e3) / flopsPerSecond);

/** Median over this library's median; none where either is not correct. */
function ratio(c: ContestantResult, own: ContestantResult): string {
  if (c === own) return "1";
  const both = c.verdict === "correct" && own.verdict === "correct";
  return both ? (c.median! / own.median!).toPrecision(3) : "-";
}

/** What rows cannot hold: failures and facts, a line a contestant. */
export function remarks({ contestants, tolerance }: WorkloadResult): string[] {
  return contestants.flatMap((c) => {
    if (!isMeasured(c)) return [`${c.name} ${c.verdict}: ${c.failure}`];
    const facts = Object.entries(c.facts ?? {}).map(([name, value]) => `${name} ${factText(name, value)}`);
    return [
      ...(c.verdict === "wrong"
        ? [`${c.name} is WRONG: error ${errorText(c.error)}, tolerated is ${tolerance}; its time counts for nothing`]
        : []),
      ...(facts.length > 0 ? [`${c.name}: ${facts.join(", ")}`] : []),
    ];
  });
}

const factText = (name: string, value: Cell): string => {
  if (typeof value !== "number") return String(value);
  return name.endsWith("bytes") ? formatBytes(value) : String(Number(value.toPrecision(4)));
};

/** Figures of another day, marked as such. */
export function recordedTable({ source, figures }: Recorded): Table {
  return {
    caption: `recorded, NOT measured in this run: ${source}`,
    columns: ["", "median ms", "error", "evaluations"],
    rows: figures.map((f) => [f.program, milliseconds(f.medianMs), errorText(f.error), count(f.evaluations)]),
  };
}

export function adapterText({ vendor, architecture, description, software }: AdapterInfo): string {
  const parts = [vendor, architecture, description && `(${description})`].filter((part) => part !== "");
  return `${parts.join(" ")}${software ? ", software" : ""}`;
}

export function controlText({ flopsPerSecond, bytesPerSecond, microsecondsPerDispatch }: ControlResult): string {
  return (
    `${(flopsPerSecond / 1e9).toPrecision(3)} Gflop/s of multiply-adds, ` +
    `${(bytesPerSecond / 1e9).toPrecision(3)} GB/s copied (read + written), ` +
    `${microsecondsPerDispatch.toPrecision(3)} us for one more dispatch`
  );
}

/** A table in columns of equal width. */
export function textTable({ columns, rows }: Table): string {
  const cells = [columns, ...rows].map((row) => row.map(String));
  const widths = columns.map((_, i) => Math.max(...cells.map((row) => row[i]!.length)));
  const line = (row: readonly string[]): string =>
    row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join("  ");
  return cells.map((row) => `  ${line(row)}`.trimEnd()).join("\n");
}

const milliseconds = (t: number): string => (t >= 100 ? t.toFixed(0) : t.toPrecision(3));
const percent = (part: number): string => `${(100 * part).toPrecision(2)} %`;
const count = (n: number): string => String(Number(n.toFixed(1)));
const errorText = (error: number | null | undefined): string =>
  error === null || error === undefined ? "not finite" : error.toExponential(1);
