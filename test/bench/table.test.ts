import { describe, expect, test } from "vitest";
import { htmlReport } from "../../bench/html.ts";
import type { ContestantResult, ControlResult, WorkloadResult } from "../../bench/result.ts";
import { contestantTable, recordedTable, remarks, textTable } from "../../bench/table.ts";

const CONTROL: ControlResult = { flopsPerSecond: 4e9, bytesPerSecond: 1e9, microsecondsPerDispatch: 30 };

const counts = {
  dispatches: 2,
  submits: 1,
  readbacks: 1,
  pipelines: 3,
  building: 0,
  bytesUploaded: 64,
  bytesRead: 2048,
};
const measured = (name: string, median: number, error: number | null = 1e-7): ContestantResult => ({
  ...{ name, verdict: error !== null && error <= 1e-3 ? "correct" : "wrong", error, counts },
  ...{ first: 900, times: [median], median, min: median, max: median, memory: 4096 },
});

const result = (...contestants: ContestantResult[]): WorkloadResult => ({
  ...{ name: "matmul-128", about: "a product", source: "seeded", truth: "double precision", tolerance: 1e-3 },
  ...{ tables: [], contestants },
});

const cellOf = (r: WorkloadResult, row: number, heading: string) => {
  const { columns, rows } = contestantTable(r, CONTROL);
  return rows[row]![columns.indexOf(heading)];
};

describe("the table of a workload", () => {
  test("compares medians, and the work with the measured peak", () => {
    const r = { ...result(measured("aumann", 10), measured("other", 25)), flops: 4e6 };
    expect(cellOf(r, 1, "times aumann")).toBe("2.50");
    // 4 Mflop in 10 ms are 0.4 Gflop/s.
    expect(cellOf(r, 0, "of peak")).toBe("10 %");
    expect(contestantTable(result(measured("aumann", 10)), CONTROL).columns).not.toContain("of peak");
  });

  test("marks a wrong result, and compares nothing with it", () => {
    const r = result(measured("aumann", 10), measured("fast", 1, 0.5), measured("nan", 1, null));
    expect(cellOf(r, 1, "")).toBe("fast: WRONG");
    expect(cellOf(r, 1, "times aumann")).toBe("-");
    expect(cellOf(r, 2, "error")).toBe("not finite");
    expect(remarks(r)).toEqual([
      "fast is WRONG: error 5.0e-1, tolerated is 0.001; its time counts for nothing",
      "nan is WRONG: error not finite, tolerated is 0.001; its time counts for nothing",
    ]);
    expect(cellOf(result(measured("aumann", 10, 0.5), measured("other", 25)), 1, "times aumann")).toBe("-");
  });

  test("shows what a failed contestant threw", () => {
    const r = result(measured("aumann", 10), { name: "other", verdict: "failed", failure: "Error: no gradient" });
    expect(contestantTable(r, CONTROL).rows[1]!.slice(0, 3)).toEqual(["other: FAILED", "-", "-"]);
    expect(remarks(r)).toEqual(["other failed: Error: no gradient"]);
  });

  test("says that recorded figures were not measured", () => {
    const figures = [{ program: "p", evaluations: 49, medianMs: 567, error: 0.018 }];
    const table = recordedTable({ source: "elsewhere", figures });
    expect(table.caption).toMatch(/^recorded, NOT measured in this run: elsewhere/);
    expect(table.rows).toEqual([["p", "567", "1.8e-2", "49"]]);
  });
});

test("text tables align their columns", () => {
  const table = {
    caption: "",
    columns: ["", "ms"],
    rows: [
      ["a", 1.5],
      ["longer", "100"],
    ] as const,
  };
  expect(textTable(table)).toBe("           ms\n  a       1.5\n  longer  100");
});

test("the report charts correct results only, and escapes what peers throw", async () => {
  const html = await htmlReport({
    environment: {
      ...{ runtime: "chrome", versions: { browser: "Chrome/1" }, reps: 1 },
      adapter: {
        vendor: "v",
        architecture: "a",
        device: "",
        description: "d",
        software: true,
        subgroupSize: 4,
        runtime: "browser",
      },
    },
    control: CONTROL,
    controlAfter: CONTROL,
    workloads: [
      result(measured("aumann", 10), measured("right", 20), measured("quick", 1, 0.5), {
        ...{ name: "broken", verdict: "failed", failure: "<b>" },
      }),
    ],
  });
  const chart = /<svg[\s\S]*?<\/svg>/.exec(html)![0];
  expect(chart).toContain("right");
  expect(chart).not.toContain("quick");
  expect(html).toContain("quick: WRONG");
  expect(html).toContain("broken failed: &lt;b&gt;");
});
