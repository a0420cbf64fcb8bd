import { describe, expect, test } from "vitest";
import { conv2d, convInputGrad, convWeightGrad } from "../../src/kernels/index.ts";
import { array64, evaluate } from "../../src/reference/index.ts";
import { hessianQuadrature } from "../../src/attribution/hessian-rules.ts";
import { trace, type InputSpec } from "../../src/graph/trace.ts";
import type { Value } from "../../src/graph/node.ts";
import { hostArray, type HostArray } from "../../src/tensor/index.ts";
import { normal, seeded } from "../../bench/nets.ts";
import { relativeError } from "../../bench/statistics.ts";
import type { ConvTask, Net } from "../../bench/task.ts";
import { denseDerivatives, integratedHessiansTruth } from "../../bench/truth-hessians.ts";
import { convTruth, matmulTruth } from "../../bench/truth.ts";

test("the truth of a matrix product", () => {
  const [a, b] = [hostArray([1, 2, 3, 4, 5, 6], [2, 3]), hostArray([1, 0, 2, -1, 0, 3], [3, 2])];
  expect([...matmulTruth({ kind: "matmul", a, b })]).toEqual([5, 7, 14, 13]);
});

describe("the truth of a convolution", () => {
  const [x, w, y] = [normal("x", [2, 3, 7, 6]), normal("w", [4, 3, 3, 3]), normal("y", [2, 4, 4, 3])];
  const options = { stride: 2, padding: 1 };
  const defined = (f: (a: Value, b: Value) => Value, a: HostArray, b: HostArray): Float64Array => {
    const specs: InputSpec[] = [a, b];
    const inputs = [a, b].map(({ data, shape }) => array64(data, shape));
    return evaluate(trace(f, specs), inputs)[0]!.data;
  };
  const expected: Record<ConvTask["role"], () => Float64Array> = {
    forward: () => defined((a, b) => conv2d(a, b, options), x, w),
    "input-gradient": () => defined((a, b) => convInputGrad(a, b, { ...options, input: [7, 6] }), y, w),
    "weight-gradient": () => defined((a, b) => convWeightGrad(a, b, { ...options, kernel: [3, 3] }), x, y),
  };
  test.each(Object.keys(expected) as ConvTask["role"][])("%s agrees with the definition of the operation", (role) => {
    const truth = convTruth({ kind: "conv", role, x, w, y, ...options });
    expect(relativeError(truth, expected[role]())).toBeLessThan(1e-12);
  });
});

describe("the truth of Hessians", () => {
  const { net, x } = seeded("truth", {
    input: [5],
    layers: [
      { kind: "dense", in: 5, out: 7 },
      { kind: "softplus", beta: 2 },
      { kind: "dense", in: 7, out: 6 },
      { kind: "softplus", beta: 3 },
      { kind: "dense", in: 6, out: 2 },
    ],
  });

  /** The network in plain loops. */
  function output({ layers }: Net, point: readonly number[], target: number): number {
    let values = [...point];
    for (const layer of layers) {
      if (layer.kind === "dense") {
        const before = values;
        values = Array.from(layer.bias.data, (b, o) =>
          before.reduce((sum, v, i) => sum + v * layer.weight.data[o * before.length + i]!, b),
        );
      } else if (layer.kind === "softplus") {
        values = values.map((v) => Math.log(1 + Math.exp(layer.beta * v)) / layer.beta);
      }
    }
    return values[target]!;
  }

  const moved = (at: readonly number[], ...moves: [number, number][]): number[] => {
    const point = [...at];
    for (const [i, h] of moves) point[i]! += h;
    return point;
  };

  test("gradient and Hessian agree with central differences", () => {
    const [at, h] = [Array.from(x.data), 1e-4];
    const { gradient, hessian } = denseDerivatives(net, at, 1);
    for (let i = 0; i < 5; i++) {
      const slope = (output(net, moved(at, [i, h]), 1) - output(net, moved(at, [i, -h]), 1)) / (2 * h);
      expect(gradient[i]).toBeCloseTo(slope, 7);
      for (let j = 0; j < 5; j++) {
        const f = (a: number, b: number): number => output(net, moved(at, [i, a], [j, b]), 1);
        const bend = (f(h, h) - f(h, -h) - f(-h, h) + f(-h, -h)) / (4 * h * h);
        expect(hessian[i * 5 + j]).toBeCloseTo(bend, 6);
      }
    }
  });

  test("Integrated Hessians sum to the change of the score", () => {
    const matrix = integratedHessiansTruth(net, x.data, 1, hessianQuadrature("gauss-legendre", 48));
    const total = matrix.reduce((sum, v) => sum + v, 0);
    expect(total).toBeCloseTo(output(net, Array.from(x.data), 1) - output(net, [0, 0, 0, 0, 0], 1), 8);
  });

  test("other layers are refused", () => {
    expect(() => denseDerivatives({ input: [1], layers: [{ kind: "relu" }] }, [1], 0)).toThrow(/got relu/);
  });
});
