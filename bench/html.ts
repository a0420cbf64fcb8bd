// The report of a run: a table and a chart for each workload.
import { barChart, report, type Cell, type Figure, type ReportSection, type Table } from "../src/view/index.ts";
import type { ControlResult, RunResult, WorkloadResult } from "./result.ts";
import { adapterText, contestantTable, controlText, recordedTable, remarks } from "./table.ts";

export async function htmlReport({ environment, control, controlAfter, workloads }: RunResult): Promise<string> {
  const { adapter, runtime, versions, reps, nets } = environment;
  return report({
    title: "aumann: benchmarks",
    text: "Times compare only within this run. A wrong or failed result has no ratio.",
    facts: {
      adapter: adapterText(adapter),
      runtime,
      ...versions,
      "calls of each": reps,
      networks: nets ?? "seeded weights",
      "control, before": controlText(control),
      "control, after": controlText(controlAfter),
    },
    sections: workloads.map((result) => section(result, control)),
  });
}

function section(result: WorkloadResult, control: ControlResult): ReportSection {
  return {
    heading: result.name,
    text: [result.about, ...remarks(result)].join("\n\n"),
    figures: chart(result),
    tables: [
      unbroken(contestantTable(result, control)),
      ...(result.recorded ? [recordedTable(result.recorded)] : []),
      ...result.tables,
    ],
  };
}

/** Numbers with their units on one line: spaces and hyphens that do not break. */
function unbroken({ rows, ...table }: Table): Table {
  const fixed = (cell: Cell): Cell =>
    typeof cell === "string" ? cell.replace(/ /g, "\u00a0").replace(/-/g, "\u2011") : cell;
  return { ...table, rows: rows.map(([name, ...cells]) => [name!, ...cells.map(fixed)]) };
}

function chart({ name, contestants }: WorkloadResult): Figure[] {
  const correct = contestants.filter(({ verdict }) => verdict === "correct");
  if (correct.length < 2) return [];
  const bars = correct.map((c) => ({ label: c.name, value: c.median! }));
  const content = barChart({ title: name, bars, valueLabel: "median, milliseconds" });
  return [{ content, caption: "Medians; correct results only." }];
}
