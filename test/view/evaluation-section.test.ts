import { describe, expect, it } from "vitest";
import { ArgumentError, ShapeError } from "../../src/tensor/errors.ts";
import { evaluationSection, report } from "../../src/view/index.ts";

const table = {
  metrics: ["deletion", "delta", "none"],
  rows: [
    ["IG", 0.25, 0.01, NaN],
    ["gradient", 0.5, NaN, NaN],
  ] as const,
};

describe("evaluationSection", () => {
  it("has a table of all means, and bars of the metrics that have some", async () => {
    const { figures, tables } = evaluationSection({ ...table, captions: { deletion: "less is better" } });
    expect(tables![0]!.columns).toEqual(["method", "deletion", "delta", "none"]);
    expect(tables![0]!.rows).toEqual([
      ["IG", 0.25, 0.01, "–"],
      ["gradient", 0.5, "–", "–"],
    ]);
    expect(figures!.map(({ caption }) => caption)).toEqual(["less is better", "Mean over the examples."]);
    const [deletion, delta] = figures!.map(({ content }) => content as string);
    // Bars are as long as the means.
    const widths = Array.from(deletion!.matchAll(/<rect[^>]* width="([\d.]+)"/g), ([, w]) => Number(w));
    const [ig, gradient] = widths.slice(-2);
    expect(gradient! / ig!).toBeCloseTo(2, 1);
    expect(deletion).toContain("gradient");
    expect(delta).not.toContain("gradient");
    const page = await report({ title: "t", sections: [evaluationSection(table)] });
    expect(page).toContain("<h2>Evaluation</h2>");
  });

  it("refuses nothing, and rows of another length", () => {
    expect(() => evaluationSection({ metrics: [], rows: table.rows })).toThrow(ArgumentError);
    expect(() => evaluationSection({ metrics: ["a"], rows: [] })).toThrow(/0 methods and 1 metrics/);
    expect(() => evaluationSection({ metrics: ["a"], rows: [["IG", 1, 2]] })).toThrow(ShapeError);
  });
});
