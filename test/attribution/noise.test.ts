// SmoothGrad, VarGrad and GradientSHAP: closed forms, plain loops over the same noise, and what they have in common.
import { describe, expect, test } from "vitest";
import { gaussianNoise } from "../../src/attribution/baselines.ts";
import { gradientShap, integratedGradients, saliency, smoothGrad, varGrad } from "../../src/attribution/index.ts";
import type { Value } from "../../src/graph/node.ts";
import { mul, relu, sum } from "../../src/kernels/index.ts";
import { activation, dense, modelOf, sequential } from "../../src/nn/index.ts";
import { hostArray, type HostArray } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { drawArray, expectNear, Mlp, rows, scoreTruth } from "./networks.ts";

const cube = (x: Value): Value => sum(mul(x, mul(x, x)), 1);
const x = hostArray([1, -2, 0.5, 3, 0, 1], [2, 3]);

describe("SmoothGrad and VarGrad", () => {
  test("of a sum of cubes: mean 3 (x^2 + s^2), variance 36 x^2 s^2 + 18 s^4", () =>
    withCleanDevice(async (device) => {
      const options = { device, sigma: 0.5, samples: 4000, seed: 3 };
      const mean = await smoothGrad(cube, x, options);
      expectNear(mean.attributions.data, x.data.map((v) => 3 * (v * v + 0.25)), 0.03); // prettier-ignore
      const variance = await varGrad(cube, x, options);
      const truth = x.data.map((v) => 36 * v * v * 0.25 + 18 / 16);
      expectNear(variance.attributions.data, truth, 0.08);
      const square = await smoothGrad(cube, x, { ...options, statistic: "square" });
      expectNear(square.attributions.data, truth.map((v, i) => v + (3 * (x.data[i]! ** 2 + 0.25)) ** 2), 0.08); // prettier-ignore
      expect(mean.evaluations).toBe(4000);
    }));

  test("of a network: means over the same noise in double precision, relative to each example's range", () =>
    withCleanDevice(async (device) => {
      const net = new Mlp("tanh", 4, 6, 3, 101);
      using on = net.on(device);
      const input = drawArray([3, 4], 102, 2);
      const [samples, level, seed, target] = [20, 0.2, 7, [2, 0, 1]];
      const truth = rows(input).map((own, b) => {
        const range = Math.max(...own) - Math.min(...own);
        const gradients = Array.from({ length: samples }, (_, k) => {
          const noise = rows(gaussianNoise({ sigma: 1, mean: 0, seed: seed * 65537 + k + 1 })(input, "x"))[b]!;
          const z = own.map((v, i) => v + level * range * noise[i]!);
          return net.gradient(z, scoreTruth.logit(target[b]!).slope(net.logits(z)));
        });
        const mean = own.map((_, i) => gradients.reduce((s, g) => s + g[i]!, 0) / samples);
        return {
          mean,
          variance: own.map((_, i) => gradients.reduce((s, g) => s + (g[i]! - mean[i]!) ** 2, 0) / samples),
        };
      });
      const options = { target, samples, level, seed };
      expectNear((await smoothGrad(on.model, input, options)).attributions.data, truth.flatMap(({ mean }) => mean)); // prettier-ignore
      expectNear((await varGrad(on.model, input, options)).attributions.data, truth.flatMap(({ variance }) => variance), 1e-4); // prettier-ignore
    }));

  test("hardly any noise: the gradient, and the predicted class is that of the input", () =>
    withCleanDevice(async (device) => {
      using on = new Mlp("tanh", 4, 6, 3, 103).on(device);
      const input = drawArray([3, 4], 104, 2);
      const gradient = await saliency(on.model, input);
      const smooth = await smoothGrad(on.model, input, { sigma: 1e-4, samples: 4 });
      expectNear(smooth.attributions.data, gradient.attributions.data, 1e-3);
      expectNear(smooth.scores.data, gradient.scores.data);
      const all = await smoothGrad(on.model, input, { sigma: 1e-4, samples: 4, target: "all" });
      expect(all.attributions.shape).toEqual([3, 3, 4]);
      smooth.targets!.data.forEach(
        (k, b) =>
        expectNear(all.attributions.data.slice((k * 3 + b) * 4, (k * 3 + b + 1) * 4), smooth.attributions.data.slice(b * 4, b * 4 + 4), 1e-4), // prettier-ignore
      );
    }));
});

describe("GradientSHAP", () => {
  const references = hostArray([0, 0, 0, 1, 1, 1, -1, 2, 0.5], [3, 3]);

  test("of a linear model: exact up to the noise, x + mean e - mean r", () =>
    withCleanDevice(async (device) => {
      const f = (v: Value): Value => sum(mul(v, 2), 1);
      const { attributions } = await gradientShap(f, x, { device, references, samples: 6000, sigma: 0.1 });
      expectNear(attributions.data, x.data.map((v, i) => 2 * (v - [0, 1, 0.5][i % 3]!)), 0.02); // prettier-ignore
    }));

  test("without noise: Integrated Gradients averaged over the references, in the limit", () =>
    withCleanDevice(async (device) => {
      const options = { device, references, samples: 6000, sigma: 0, seed: 2 };
      const { attributions } = await gradientShap(cube, x, options);
      const baseline = rows(references).map((row) => ({ baseline: hostArray(row, [3]) }));
      const ig = await integratedGradients(cube, x, { device, baseline, steps: 4 });
      expectNear(attributions.data, ig.attributions.data, 0.03);
    }));

  test("with noise: E of a cube is x^3 + 3 x s^2 - E r^3", () =>
    withCleanDevice(async (device) => {
      // The integral over a of 3 z^2 (x + e - r) is (x + e)^3 - r^3.
      const { attributions } = await gradientShap(cube, x, { device, references, samples: 20000, sigma: 0.4, seed: 5 });
      const mean = [0, 1, 2].map((i) => rows(references).reduce((s, row) => s + row[i]! ** 3 / 3, 0));
      expectNear(attributions.data, x.data.map((v, i) => v ** 3 + 3 * v * 0.16 - mean[i % 3]!), 0.03); // prettier-ignore
    }));

  test("models and all classes; reproducible", () =>
    withCleanDevice(async (device) => {
      const network = sequential([["a", dense(3, 8)], ["r", activation(relu)], ["b", dense(8, 4)]]); // prettier-ignore
      const model = modelOf(network, network.init(device, 3), [3]);
      try {
        const run = (options: object): Promise<{ attributions: HostArray }> =>
          gradientShap(model, x, { references, samples: 8, ...options });
        const all = (await run({ target: "all" })).attributions;
        expect(all.shape).toEqual([4, 2, 3]);
        for (let k = 0; k < 4; k++)
          expectNear((await run({ target: k })).attributions.data, all.data.slice(k * 6, k * 6 + 6), 1e-4);
        expect((await run({ target: 1 })).attributions.data).toEqual((await run({ target: 1 })).attributions.data);
        expect((await run({ target: 1, seed: 9 })).attributions.data).not.toEqual((await run({ target: 1 })).attributions.data); // prettier-ignore
      } finally {
        model.dispose();
      }
    }));
});

describe("what is refused", () => {
  const references = hostArray([0, 0, 0], [1, 3]);
  test.each([
    [() => smoothGrad(cube, x, { sigma: 0 }), /sigma: expected a number > 0, got 0/],
    [() => smoothGrad(cube, x, { level: -1 }), /level: expected a number > 0, got -1/],
    [() => smoothGrad(cube, x, { samples: 0 }), /samples.*>= 1, got 0/],
    [() => smoothGrad(cube, x, { statistic: "median" as "mean" }), /statistic.*"median"/],
    [() => gradientShap(cube, x, { references, sigma: -1 }), /sigma.*>= 0, got -1/],
    [() => gradientShap(cube, x, { references: hostArray([0, 0], [1, 2]) }), /references.*\[1, 2\]/],
    [() => gradientShap(cube, hostArray([1, NaN, 2], [1, 3]), { references }), /input "x" holds NaN at element 1/],
  ])("%s", async (call, message) => {
    await expect(call()).rejects.toThrow(message);
  });
});
