import { expect, test } from "vitest";
import { areaOf } from "../../examples/lib/removal-report.ts";
import { perMethod, type Outcome } from "../../examples/lib/removal.ts";

test("the area under a removal curve: trapezia over the levels, nothing below 0", () => {
  const explained = [0.8, 0.4, -0.2];
  const curves = perMethod(() => ({ explained, error: [] }));
  // Levels 0, 1, 5: 1 x 0.6 + 4 x 0.2, over a length of 5.
  expect(areaOf({ curves } as unknown as Outcome, "Hessian", [1, 5])).toBeCloseTo(1.4 / 5, 12);
});
