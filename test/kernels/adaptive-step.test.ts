// The kernel of adaptive paths against double precision, over whole paths with gradients that are given.
import { describe, expect, test } from "vitest";
import { compile } from "../../src/compiler/program.ts";
import { adaptiveStep, firstState, stateLength } from "../../src/kernels/adaptive-step.ts";
import { ShapeError } from "../../src/tensor/errors.ts";
import { input } from "../../src/graph/leaves.ts";
import type { Device } from "../../src/tensor/index.ts";
import { adaptiveTruth } from "../attribution/adaptive-truth.ts";
import { draw, expectNear } from "../attribution/networks.ts";
import { withCleanDevice } from "../gpu.ts";

interface Setting {
  readonly steps: number;
  readonly fraction: number;
  readonly maxDist: number;
}

/** Rows of x - x', and gradients for every step and row. */
interface Given {
  readonly spans: readonly number[][];
  readonly gradients: readonly (readonly number[][])[];
  readonly cost: (g: readonly number[]) => number[];
}

/** What is left of the ways, and attributions, of all rows after the last step. */
async function run(device: Device, given: Given, { steps, fraction, maxDist }: Setting) {
  const [rows, length] = [given.spans.length, given.spans[0]!.length];
  const whole = { shape: [rows, length] };
  const specs = [whole, whole, whole, { shape: [rows, stateLength(length)] }, { shape: [3] }];
  const program = await compile(
    device,
    (cost, slope, span, state, settings) => adaptiveStep(cost, slope, span, state, settings),
    specs,
  ).ready();
  using settings = device.tensor([steps, Math.floor((length - 1) * fraction), maxDist]);
  using span = device.tensor(given.spans.flat(), [rows, length]);
  let state = device.tensor(firstState(rows, length), [rows, stateLength(length)]);
  for (let s = 0; s < steps; s++) {
    const g = given.gradients[s]!;
    using cost = device.tensor(g.flatMap(given.cost), [rows, length]);
    using slope = device.tensor(
      g.flatMap((row, r) => row.map((v, i) => v * given.spans[r]![i]!)),
      [rows, length],
    );
    const [next] = await program.run([cost, slope, span, state, settings]);
    state.dispose();
    state = next!;
  }
  const { data } = await state.read();
  state.dispose();
  return given.spans.map((_, r) => {
    const own = data.subarray(r * stateLength(length), (r + 1) * stateLength(length));
    return { left: own.subarray(0, length), attributions: own.subarray(length, 2 * length), done: own[3 * length] };
  });
}

function truth(given: Given, row: number, setting: Setting): number[] {
  let step = 0;
  const x = given.spans[row]!;
  const gradient = (): number[] => given.gradients[step++]![row]!;
  return adaptiveTruth({ gradient, x, baseline: x.map(() => 0), cost: given.cost, ...setting }).attributions;
}

const magnitudes = (g: readonly number[]): number[] => g.map(Math.abs);

function drawn(rows: number, length: number, steps: number, cost = magnitudes): Given {
  return {
    spans: Array.from({ length: rows }, (_, r) => draw(length, 7 + r)),
    gradients: Array.from({ length: steps }, (_, s) =>
      Array.from({ length: rows }, (_, r) => draw(length, 100 + s * rows + r)),
    ),
    cost,
  };
}

describe("adaptiveStep", () => {
  test.each<[string, Given, Setting]>([
    ["one coordinate", drawn(1, 1, 5), { steps: 5, fraction: 0.25, maxDist: 0.02 }],
    ["few coordinates, narrow corridor", drawn(3, 7, 20), { steps: 20, fraction: 0.25, maxDist: 0.02 }],
    ["few coordinates, no bound", drawn(2, 10, 12), { steps: 12, fraction: 0.1, maxDist: 1 }],
    ["hundreds of coordinates", drawn(2, 300, 10), { steps: 10, fraction: 0.25, maxDist: 0.1 }],
    ["more than one part of a sum", drawn(1, 40_000, 3), { steps: 3, fraction: 0.4, maxDist: 0.3 }],
    ["a wide corridor at the end", drawn(1, 50, 4), { steps: 4, fraction: 0.05, maxDist: 0.5 }],
    ["costs of both signs", drawn(2, 60, 9, (g) => [...g]), { steps: 9, fraction: 0.2, maxDist: 0.15 }],
  ])("%s", (_, given, setting) =>
    withCleanDevice(async (device) => {
      const results = await run(device, given, setting);
      results.forEach(({ left, attributions, done }, row) => {
        expect(done).toBe(setting.steps);
        for (const part of left) expect(Math.abs(part)).toBeLessThan(1e-6);
        expectNear(attributions, truth(given, row, setting), 2e-6);
      });
    }),
  );

  test("coordinates without a way, and ties of cost", () =>
    withCleanDevice(async (device) => {
      const setting = { steps: 10, fraction: 0.25, maxDist: 0.2 };
      const { spans, gradients } = drawn(2, 32, 10);
      const given: Given = {
        spans: spans.map((row) => row.map((v, i) => (i % 3 === 0 ? 0 : v))),
        gradients: gradients.map((rows) => rows.map((row) => row.map((v) => Math.round(v * 4) / 4))),
        cost: magnitudes,
      };
      (await run(device, given, setting)).forEach(({ attributions }, row) =>
        expectNear(attributions, truth(given, row, setting), 2e-6),
      );
    }));

  test("a row that has no way at all stays", () =>
    withCleanDevice(async (device) => {
      const given = { ...drawn(1, 5, 3), spans: [[0, 0, 0, 0, 0]] };
      const [row] = await run(device, given, { steps: 3, fraction: 0.5, maxDist: 0.1 });
      expect([...row!.attributions]).toEqual([0, 0, 0, 0, 0]);
    }));

  test("gradients that are not numbers end, and reach the attributions", () =>
    withCleanDevice(async (device) => {
      const given = drawn(1, 5, 3);
      given.gradients[1]![0]![2] = NaN;
      const [row] = await run(device, given, { steps: 3, fraction: 0.25, maxDist: 0.1 });
      expect(row!.attributions[2]).toBeNaN();
      expect(row!.attributions[0]).not.toBeNaN();
    }));

  test("refuses shapes that do not fit", () => {
    const [a, b] = [input([2, 3]), input([2, 4])];
    expect(() => adaptiveStep(a, a, b, input([2, 10]), input([3]))).toThrow(ShapeError);
    expect(() => adaptiveStep(a, a, a, input([2, 9]), input([3]))).toThrow(
      "expected [2, 3] three times and state [2, 10]",
    );
  });
});
