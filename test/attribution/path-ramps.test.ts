// Paths whose first rectifier and product are computed for all nodes at once, against double precision node by node.
import { describe, expect, test } from "vitest";
import { integratedGradients, quadrature, type IntegratedGradientsOptions } from "../../src/attribution/index.ts";
import type { Device } from "../../src/tensor/index.ts";
import { prefersRamp } from "../../src/attribution/path-ramps.ts";
import { withCleanDevice } from "../gpu.ts";
import { Network } from "./dense-network.ts";
import { argmax, drawArray, expectNear, rows, scoreTruth, type Vector } from "./networks.ts";

const STEPS = 60;
const RULE = "midpoint";
/** Operations of the products that nodes one by one would take, forward and back. */
const perNode = ([, units, outputs]: readonly number[], paths: number): number => 4 * paths * STEPS * units! * outputs!;

interface Case {
  readonly widths: readonly number[];
  readonly examples?: number;
  readonly score?: keyof typeof scoreTruth;
  readonly options?: IntegratedGradientsOptions;
  readonly from?: readonly Vector[];
  readonly target?: number;
  /** Also in chunks, with this part of the memory that all nodes at once would take. */
  readonly share?: number;
}

async function check(device: Device, { share, ...c }: Case): Promise<void> {
  const { plan } = await compare(device, c);
  expect(plan.chunks).toBe(1);
  if (share === undefined) return;
  const options = { ...c.options, memoryBudget: Math.ceil(share * plan.bytes) };
  const { chunks } = (await compare(device, { ...c, options })).plan;
  expect(chunks).toBeGreaterThan(1);
}

/** Compares what a result holds with double precision. */
async function compare(device: Device, { widths, examples = 1, score = "logit", options, from, target }: Case) {
  const net = new Network(widths);
  const x = drawArray([examples, widths[0]!], 3, 2);
  using traced = net.on(device);
  const begins = from ?? [rows(x)[0]!.map(() => 0)];
  const result = await integratedGradients(traced.model, x, {
    device,
    rule: RULE,
    steps: STEPS,
    score,
    ...options,
    ...(target !== undefined && { target }),
  });
  expect(result.plan.flops).toBeLessThan(perNode(widths, examples * begins.length));
  const { nodes, weights } = quadrature(RULE, STEPS);
  const of = rows(x).map((row) => scoreTruth[score](target ?? argmax(net.logits(row))));
  const mean = (f: (begin: Vector) => number): number => begins.reduce((sum, z) => sum + f(z) / begins.length, 0);
  const attributions = rows(x).flatMap((row, b) => {
    const each = new Map(begins.map((begin) => [begin, net.integral(of[b]!, row, begin, nodes, weights)]));
    return row.map((_, i) => mean((begin) => each.get(begin)![i]!));
  });
  expectNear(result.attributions.data, attributions, 2e-5);
  expectNear(
    result.outputs.data,
    rows(x).flatMap((row) => net.logits(row)),
    1e-5,
  );
  // Completeness: the sum of attributions less the difference of the scores at both ends.
  const deltas = rows(x).map((row, b) => {
    const own = attributions.slice(b * row.length, (b + 1) * row.length).reduce((sum, a) => sum + a);
    return own - of[b]!.value(net.logits(row)) + mean((begin) => of[b]!.value(net.logits(begin)));
  });
  deltas.forEach((delta, b) => expect(result.delta.data[b]).toBeCloseTo(delta, 4));
  return result;
}

describe("rectified lines along a path", () => {
  const cases: Readonly<Record<string, Case>> = {
    "two hidden layers": { widths: [6, 224, 210, 3] },
    "a layer before the score": { widths: [6, 420, 130] },
    "three hidden layers, probability": { widths: [6, 224, 210, 30, 3], score: "probability" },
    "several examples": { widths: [5, 160, 150, 4], examples: 3, score: "probability" },
    "several baselines": {
      widths: [4, 190, 180, 3],
      options: { baseline: [drawArray([1, 4], 8), drawArray([1, 4], 9)].map((array) => ({ baseline: array })) },
      from: [8, 9].map((seed) => [...drawArray([1, 4], seed).data]),
    },
    "in chunks": { widths: [6, 400, 380, 3], share: 0.6 },
    "a class that is named": { widths: [6, 224, 210, 3], target: 1 },
  };
  test.each(Object.entries(cases))("%s", (_, c) => withCleanDevice((device) => check(device, c)));
  test("are preferred where there are many nodes, and enough to save", () => {
    const wide = { paths: 1, steps: 50, units: 256, outputs: 256 };
    expect(prefersRamp(wide, true)).toBe(true);
    expect(prefersRamp({ ...wide, steps: 5 }, true)).toBe(false);
    expect(prefersRamp({ ...wide, units: 16, outputs: 16 }, true)).toBe(false);
    // Putting very many units in order takes longer than few outputs of each.
    expect(prefersRamp({ ...wide, units: 16384, outputs: 8 }, true)).toBe(false);
    expect(prefersRamp(wide, false)).toBe(false);
    expect(prefersRamp({ paths: 4, steps: 1000, units: 1024, outputs: 1024 }, false)).toBe(true);
  });
});
