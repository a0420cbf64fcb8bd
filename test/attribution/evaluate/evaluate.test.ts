// The table of methods and metrics: its numbers are those of the functions that it calls.
import { describe, expect, test } from "vitest";
import {
  completeness,
  deletion,
  evaluate,
  gini,
  maxSensitivity,
  type Explainer,
} from "../../../src/attribution/evaluate/index.ts";
import { gradientXInput, integratedGradients, saliency } from "../../../src/attribution/index.ts";
import type { Value } from "../../../src/graph/node.ts";
import { sum } from "../../../src/kernels/index.ts";
import { ArgumentError, hostArray } from "../../../src/tensor/index.ts";
import { withCleanDevice } from "../../gpu.ts";
import { drawArray, expectNear, Mlp } from "../networks.ts";

const input = drawArray([4, 5], 111, 2);
const ig: Explainer = (model, x, options) => integratedGradients(model, x, { ...options, steps: 24 });

describe("evaluate", () => {
  test("gives what the metrics give, for every method, with the classes predicted at the input", () =>
    withCleanDevice(async (device) => {
      using on = new Mlp("tanh", 5, 8, 3, 112).on(device);
      const { model } = on;
      const table = await evaluate(
        { gradient: saliency, "gradient x input": gradientXInput, IG: ig },
        { model, input },
        { deletion, completeness, gini, unknown: () => ({ values: Float64Array.of(1, NaN, 3, NaN) }) },
      );
      expect(table.methods).toEqual(["gradient", "gradient x input", "IG"]);
      expect(table.metrics).toEqual(["deletion", "completeness", "gini", "unknown"]);
      const { attributions, targets } = await integratedGradients(model, input, { steps: 24 });
      expect(table.targets).toEqual(Array.from(targets!.data));
      const subject = { model, input, attributions, targets: table.targets };
      const own = table.results.IG;
      expectNear(own.deletion.values, (await deletion(subject)).values);
      expect(Array.from(own.gini.values)).toEqual(Array.from(gini(subject).values));
      expect(own.gini.mean).toBeCloseTo(own.gini.values.reduce((a, b) => a + b) / 4, 12);
      expect(own.completeness.mean).toBeLessThan(1e-4);
      expect(table.results.gradient.completeness.mean).toBeGreaterThan(0.01);
      expect(own.unknown).toMatchObject({ mean: 2, count: 2 });
      expect(table.rows[2]).toEqual(["IG", own.deletion.mean, own.completeness.mean, own.gini.mean, 2]);
    }));

  test("variants of an example are explained for its class", () =>
    withCleanDevice(async (device) => {
      using on = new Mlp("tanh", 5, 8, 3, 113).on(device);
      const seen: unknown[] = [];
      const watched: Explainer = (model, x, options) => {
        seen.push([x.shape, options.target]);
        return saliency(model, x, options);
      };
      const stability = (s: Parameters<typeof maxSensitivity>[0]) => maxSensitivity(s, { samples: 3, radius: 0.01 });
      const data = { model: on.model, input, targets: [2, 0, 1, 1] };
      const { results } = await evaluate({ watched }, data, { stability });
      expect(seen).toEqual([
        [[4, 5], [2, 0, 1, 1]],
        [[12, 5], [2, 0, 1, 1, 2, 0, 1, 1, 2, 0, 1, 1]],
      ]); // prettier-ignore
      results.watched.stability.values.forEach((v) => {
        expect(v).toBeGreaterThan(0);
        expect(v).toBeLessThan(0.5);
      });
    }));

  test("outputs without classes; progress; abortion", () =>
    withCleanDevice(async (device) => {
      const model = (x: Value): Value => sum(x, 1);
      const done: number[] = [];
      const data = { model, input, device, onProgress: (p: { done: number }) => done.push(p.done) };
      const plain = (s: Parameters<typeof completeness>[0]) => completeness(s, { device });
      const table = await evaluate({ gradient: saliency, IG: ig }, data, { plain, gini });
      expect(table.targets).toBeUndefined();
      expect(done).toEqual([1, 2, 3, 4]);
      expect(table.results.IG.plain.mean).toBeLessThan(1e-5);
      let calls = 0;
      const counted: Explainer = (...given) => {
        calls++;
        return ig(...given);
      };
      const stopped = evaluate({ counted }, { ...data, signal: AbortSignal.abort(new Error("enough")) }, { gini });
      await expect(stopped).rejects.toThrow("enough");
      expect(calls).toBe(0);
      // A method gets the signal: this one aborts it before it explains.
      const controller = new AbortController();
      const { signal } = controller;
      const aborting: Explainer = (...given) => {
        expect(given[2].signal).toBe(signal);
        controller.abort(new Error("enough"));
        return ig(...given);
      };
      await expect(evaluate({ aborting }, { ...data, signal }, { gini })).rejects.toThrow("enough");
    }));

  test("refuses nothing to do, and metrics that do not give one number per example", () =>
    withCleanDevice(async (device) => {
      using on = new Mlp("tanh", 5, 8, 3, 114).on(device);
      const data = { model: on.model, input };
      await expect(evaluate({}, data, { gini })).rejects.toThrow(ArgumentError);
      await expect(evaluate({ ig }, data, {})).rejects.toThrow(/1 methods and 0 metrics/);
      const short = () => ({ values: Float64Array.of(1) });
      await expect(evaluate({ ig }, data, { short })).rejects.toThrow(/short: 1 numbers for 4 examples/);
      const wrong: Explainer = () => Promise.resolve({ attributions: hostArray([1], [1, 1]) });
      await expect(evaluate({ wrong }, data, { deletion })).rejects.toThrow(/attributions.*\[4, 5\]/);
      const holes = hostArray(Float32Array.from(input.data, (v, i) => (i === 7 ? NaN : v)), [4, 5]); // prettier-ignore
      const broken: Explainer = () => Promise.resolve({ attributions: holes });
      for (const metric of [deletion, completeness, gini])
        await expect(evaluate({ broken }, data, { metric })).rejects.toThrow(/attributions.* holds NaN at element 7/);
    }));
});
