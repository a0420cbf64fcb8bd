// The kernel for whole dense networks, both of its forms, against double precision; and who gets it.
import { describe, expect, test } from "vitest";
import { compile } from "../../src/compiler/program.ts";
import { input } from "../../src/graph/leaves.ts";
import type { Value } from "../../src/graph/node.ts";
import {
  mlpPath,
  mlpShares,
  packMlp,
  prefersMlpPath,
  recordLength,
  type ActivationText,
  type MlpExtents,
  type MlpScore,
  type MlpShares,
} from "../../src/kernels/mlp-path.ts";
import { ShapeError } from "../../src/tensor/errors.ts";
import type { Device } from "../../src/tensor/index.ts";
import { Network } from "../attribution/dense-network.ts";
import { draw, expectNear, scoreTruth } from "../attribution/networks.ts";
import { openValidationDevice, withCleanDevice } from "../gpu.ts";

const RELU: ActivationText = {
  ...{ value: "return max(z, 0.0);", slope: "return select(0.0, 1.0, z > 0.0);" },
  ...{ kept: false, helpers: [] },
};
/** x s(x), with a derivative that its result does not tell. */
const SILU: ActivationText = {
  value: "return z * safe_gate(z);",
  slope: "return safe_gate(z) * (1.0 + z * safe_gate(-z));",
  kept: true,
  helpers: ["fn safe_gate(z: f32) -> f32 { return 1.0 / (1.0 + exp(-z)); }"],
};

interface Run {
  readonly net: Network;
  readonly activation: ActivationText;
  readonly score: MlpScore;
  readonly extents: MlpExtents;
  readonly shares: MlpShares;
}

/** The kernel as a function of x, begin, nodes, weights, chosen and the network's weights and biases. */
const kernelOf =
  ({ net, ...attrs }: Run) =>
  (x: Value, begin: Value, nodes: Value, weights: Value, chosen: Value, ...rest: Value[]): Value => {
    const layers = net.weights.map((_, l) => ({ weight: rest[2 * l]!, bias: rest[2 * l + 1]! }));
    return mlpPath({ theta: packMlp(layers), x, begin, nodes, weights, chosen }, attrs);
  };

const shapesOf = ({ net: { widths }, extents: { paths, examples, steps } }: Run): number[][] => [
  ...[[examples, widths[0]!], [paths, examples, widths[0]!], [paths, steps + 1, examples], [paths, steps], [examples]],
  ...widths.slice(1).flatMap((n, l) => [[widths[l]!, n], [n]]),
];

const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Compares sums, and outputs at both ends, of all paths and examples. Classes: the largest output, then the last one. */
async function check(device: Device, run: Run): Promise<void> {
  const { net, score, extents, shares } = run;
  const { paths, examples, steps, widths } = extents;
  const shapes = shapesOf(run);
  const [features, classes] = [widths[0]!, widths.at(-1)!];
  const chosen = Array.from({ length: examples }, (_, b) => (b === 0 ? -1 : classes - 1));
  const own = shapes.slice(0, 4).map((shape, i) => draw(size(shape), 50 + i, i === 2 ? 0.5 : 2));
  const data = [...own, chosen, ...net.weights.flatMap((w, l) => [w, net.biases[l]!])];
  const program = compile(
    device,
    kernelOf(run),
    shapes.map((shape) => ({ shape })),
  );
  const tensors = data.map((values, i) => device.tensor(values, shapes[i]));
  const [result] = await program.runAndRead(tensors);
  tensors.forEach((t) => t.dispose());
  expect(result!.shape).toEqual([paths, shares.count, examples, recordLength(extents)]);
  const [x, begin, nodes, weights] = own as [number[], number[], number[], number[]];
  for (let m = 0; m < paths; m++) {
    for (let b = 0; b < examples; b++) {
      const row = x.slice(b * features, (b + 1) * features);
      const from = begin.slice((m * examples + b) * features, (m * examples + b + 1) * features);
      const logits = net.logits(row);
      const truth = scoreTruth[score](chosen[b]! < 0 ? logits.indexOf(Math.max(...logits)) : chosen[b]!);
      const at = Array.from({ length: steps }, (_, s) => nodes[(m * (steps + 1) + s) * examples + b]!);
      const records = Array.from({ length: shares.count }, (_, share) => {
        const start = ((m * shares.count + share) * examples + b) * recordLength(extents);
        return [...result!.data.slice(start, start + recordLength(extents))];
      });
      const sums = row.map((_, i) => records.reduce((sum, record) => sum + record[i]!, 0));
      expectNear(sums, net.integral(truth, row, from, at, weights.slice(m * steps, (m + 1) * steps)), 3e-5);
      const ends = Array.from({ length: classes }, (_, k) => records[0]!.slice(features + 2 * k, features + 2 * k + 2));
      expectNear(
        ends.flat(),
        logits.flatMap((z, k) => [z, net.logits(from)[k]!]),
      );
    }
  }
}

const relu = new Network([5, 9, 6, 3]);
const silu = new Network([3, 70, 2], "silu");
const extentsOf = ({ widths }: Network, kept: boolean, steps: number): MlpExtents => ({
  ...{ widths, kept, steps, paths: 2, examples: 3 },
});

describe("the kernel for whole networks", () => {
  test("relu, an invocation for each share", () =>
    withCleanDevice((device) =>
      check(device, {
        ...{ net: relu, activation: RELU, score: "logit", extents: extentsOf(relu, false, 17) },
        shares: { count: 3, points: 7, alone: true },
      }),
    ));

  for (const alone of [true, false])
    test(`slopes that are kept, softmax, more units than invocations, ${alone ? "an invocation" : "a workgroup"} for each share`, () =>
      withCleanDevice((device) =>
        check(device, {
          ...{ net: silu, activation: SILU, score: "probability", extents: extentsOf(silu, true, 17) },
          shares: { count: 3, points: 7, alone },
        }),
      ));

  test("compiles in all its forms within WebGPU's default limits", async () => {
    const device = await openValidationDevice();
    for (const alone of [true, false])
      for (const score of ["logit", "probability", "logProbability"] as const)
        for (const [net, activation] of [
          [relu, RELU],
          [silu, SILU],
        ] as const) {
          const extents = extentsOf(net, activation.kept, 6);
          const run = { net, activation, score, extents, shares: { count: 1, points: 7, alone } };
          const specs = shapesOf(run).map((shape) => ({ shape }));
          await compile(device, kernelOf(run), specs).ready(true);
        }
    device.destroy();
  });

  test("refuses operands of other sizes", () => {
    const run: Run = {
      ...{ net: relu, activation: RELU, score: "logit", extents: extentsOf(relu, false, 4) },
      shares: { count: 1, points: 7, alone: true },
    };
    const inputs = shapesOf(run).map((shape) => input(shape));
    const spoilt = (at: number, shape: number[]): Value[] => inputs.map((x, i) => (i === at ? input(shape) : x));
    const apply = (xs: readonly Value[]): Value => kernelOf(run)(...(xs as Parameters<ReturnType<typeof kernelOf>>));
    expect(apply(inputs).shape).toEqual([2, 1, 3, 11]);
    expect(() => apply(spoilt(1, [1, 3, 5]))).toThrow(ShapeError);
    expect(() => apply(spoilt(2, [2, 3]))).toThrow("at least 4");
    expect(() => apply(spoilt(5, [5, 8]))).toThrow("expected an operand of");
  });
});

describe("who gets it", () => {
  const [gpu, software] = [false, true].map((software) => ({ software, maxStorageBuffers: 8 }));
  const extents = (widths: readonly number[], rest: Partial<MlpExtents> = {}): MlpExtents => ({
    ...{ widths, kept: false, paths: 1, examples: 1, steps: 50, ...rest },
  });
  const prefers = (e: MlpExtents, on = gpu!): boolean => prefersMlpPath(e, mlpShares(e, on)!, on);

  test("small networks on GPUs, none on software adapters", () => {
    for (const widths of [
      [4, 32, 3],
      [16, 64, 64, 3],
      [64, 128, 10],
    ]) {
      expect(prefers(extents(widths))).toBe(true);
      expect(prefers(extents(widths), software)).toBe(false);
    }
    // Too many turns one after another: for one tile of points, or since workgroups have many.
    for (const e of [extents([64, 256, 256, 10]), extents([784, 128, 10]), extents([16, 64, 64, 3], { examples: 64 })])
      expect(prefers(e)).toBe(false);
    // More arrays than one dispatch packs.
    const deep = extents([4, 8, 8, 8, 3]);
    expect(prefers(deep)).toBe(false);
    expect(prefers(deep, { ...gpu!, maxStorageBuffers: 10 })).toBe(true);
  });

  test("networks that its memory holds", () => {
    expect(mlpShares(extents([10, 510, 500, 10]), gpu!)).toBeUndefined();
    expect(mlpShares(extents([10, 500, 490, 10]), gpu!)).toBeDefined();
    expect(mlpShares(extents([10, 510, 10], { kept: true }), gpu!)).toBeUndefined();
    expect(mlpShares(extents(Array<number>(10).fill(2)), gpu!)).toBeUndefined();
    expect(mlpShares(extents([10, 200, 10]), software!)).toMatchObject({ alone: true });
    expect(mlpShares(extents([10, 600, 10]), software!)).toMatchObject({ alone: false });
  });

  test("shares hold every point once, and fill whole tiles but for the input", () => {
    for (const on of [gpu!, software!])
      for (const steps of [1, 2, 3, 7, 50, 300, 4096])
        for (const examples of [1, 5, 100]) {
          const { count, points } = mlpShares(extents([4, 8, 3], { steps, examples }), on)!;
          expect((points + 1) % 4).toBe(0);
          expect(count * points).toBeGreaterThanOrEqual(steps + 1);
          expect((count - 1) * points).toBeLessThan(steps + 1);
          expect(points).toBeLessThan(256);
        }
  });
});
