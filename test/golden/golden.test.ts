// Golden cases in CI: the library against results that independent programs computed in double precision. cases/ holds one
// network of every family and, of the quick ones, one case of every method; `npm run golden -- FOLDER` runs any folder.
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { withCleanDevice } from "../gpu.ts";
import { readCase, type Case } from "./case.ts";
import { checkCase, largestError, passes, type Check } from "./check.ts";

const folder = join(import.meta.dirname, "cases");
const read = async (name: string): Promise<Case> => (await readCase(join(folder, name))) as Case;
const failures = (checks: readonly Check[]): Check[] => checks.filter((check) => !passes(check));

describe("golden cases", () => {
  for (const name of readdirSync(folder)) {
    test(name, () =>
      withCleanDevice(async (device) => {
        const case_ = await read(name);
        const checks = await checkCase(device, case_);
        expect(failures(checks)).toEqual([]);
        expect(checks.map(({ id }) => id)).toEqual(case_.file.expected.map(({ id }) => id));
      }),
    );
  }
});

describe("the runner", () => {
  test("fails what differs from the truth, and what nothing computes", () =>
    withCleanDevice(async (device) => {
      const { file, tensors, name } = await read("interior_mlp_relu");
      const [outputs, gradients, average] = file.expected;
      const entry = tensors[outputs!.tensor_f64]!;
      const wrong = Float64Array.from(entry.data as Float64Array, (v, i) =>
        i === 3 ? v + 2 * outputs!.tol_abs.gpu : v,
      );
      const checks = await checkCase(device, {
        name,
        file: {
          ...file,
          expected: [outputs!, { ...gradients!, quantity: "no such quantity" }, { ...average!, shape: [1] }],
        },
        tensors: { ...tensors, [outputs!.tensor_f64]: { ...entry, data: wrong } },
      });
      expect(checks.map(passes)).toEqual([false, false, false]);
      expect(checks[0]!.ratio).toBeCloseTo(2, 0);
      expect(checks[1]!.reason).toContain("no such quantity");
      expect(checks[2]!.reason).toContain("expected [1]");
    }));

  test("NaN is never within a tolerance", () => {
    expect(largestError([1, NaN], [1, 2])).toBe(Infinity);
    expect(largestError([1], [1, 2])).toBe(Infinity);
    expect(largestError([1, 2.5], [1, 2])).toBe(0.5);
  });
});
