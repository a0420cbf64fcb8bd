// Many tangents at once: they share one primal pass, and each gets the Hessian-vector product it would get alone. In
// double precision and on compiled programs that never run.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { grad, hessian } from "../../src/autograd/api.ts";
import { batchGraph } from "../../src/autograd/batch.ts";
import { jvpGraph } from "../../src/autograd/jvp.ts";
import { vjpGraph } from "../../src/autograd/transpose.ts";
import { compile, type Program } from "../../src/compiler/program.ts";
import type { Step } from "../../src/compiler/step.ts";
import { input } from "../../src/graph/leaves.ts";
import type { Node, Value } from "../../src/graph/node.ts";
import { reachable, trace } from "../../src/graph/trace.ts";
import type { BatteryCase } from "../../src/kernels/battery.ts";
import { add, index, matmul, mul, softmax, softplus, tanh } from "../../src/kernels/index.ts";
import { axpy, worstError, type Array64 } from "../../src/reference/array.ts";
import { evaluateNodes } from "../../src/reference/evaluate.ts";
import { generator, randomArray } from "../../src/reference/random.ts";
import type { Device } from "../../src/tensor/index.ts";
import { formatShape } from "../../src/tensor/shape.ts";
import { families } from "../battery/all.ts";
import { openValidationDevice } from "../gpu.ts";
import { drawn, networks, productsOf, stacked, type Network } from "./second-order-networks.ts";

const TANGENTS = 3;
const POINTS = 2;

const total = (steps: readonly Step[], of: "flops" | "workgroups"): number => steps.reduce((sum, s) => sum + s[of], 0);
const kernels = (steps: readonly Step[]): string[] => steps.map(({ label }) => label);

/** Steps of a program that compute something without a tangent axis, and those with one. */
function split({ steps }: Program, isSeed: (node: Node) => boolean): { primal: Step[]; tangent: Step[] } {
  const tangent = steps.filter(({ writes }) => writes.some((y) => reachable([y]).some(isSeed)));
  return { primal: steps.filter((step) => !tangent.includes(step)), tangent };
}

describe("one primal pass for all tangents", () => {
  let device: Device;
  beforeAll(async () => {
    device = await openValidationDevice();
  });
  afterAll(() => device.destroy());

  const score = (x: Value, w1: Value, b1: Value, w2: Value, b2: Value, w3: Value): Value => {
    const hidden = softplus(add(matmul(x, w1), b1), { beta: 10 });
    return index(softmax(matmul(tanh(add(matmul(hidden, w2), b2)), w3)), 1, 2);
  };
  const specs = (n: number) => [[1, n], [n, 24], [24], [24, 20], [20], [20, 5]].map((shape) => ({ shape }));
  // Nothing but the unit vectors of hessian() counts.
  const isUnitVectors = (node: Node): boolean => node.primitive.name === "iota";
  const hessianOf = (n: number): Program =>
    compile(
      device,
      (x, ...rest) => hessian((y) => score(y, ...(rest as [Value, Value, Value, Value, Value])))(x),
      specs(n),
    );

  test("hessian() of 4, 16 and 64 inputs: the same dispatches, and the primal part of one gradient", () => {
    const programs = [4, 16, 64].map(hessianOf);
    const parts = programs.map((program) => split(program, isUnitVectors));
    for (const [i, n] of [4, 16, 64].entries()) {
      expect(programs[i]!.plan.dispatches).toBe(programs[0]!.plan.dispatches);
      expect(kernels(parts[i]!.primal)).toEqual(kernels(parts[0]!.primal));
      const gradient = compile(
        device,
        (...xs) => grad((...ys) => score(...(ys as Parameters<typeof score>)))(...xs),
        specs(n),
      );
      // A gradient, and the few elementwise residuals that only second derivatives need.
      expect(total(parts[i]!.primal, "flops")).toBeLessThan(1.15 * gradient.plan.flops);
      const written = programs[i]!.steps.flatMap(({ writes }) => writes);
      expect(new Set(written).size).toBe(written.length);
    }
    // Only the first layer knows the number of inputs: 2 x 24 operations for each.
    const flops = parts.map(({ primal }) => total(primal, "flops"));
    expect(flops[1]! - flops[0]!).toBe(12 * 48);
    expect(flops[2]! - flops[1]!).toBe(48 * 48);
  });

  test("residuals with costly functions are read, not computed again for every tangent", () => {
    const { primal, tangent } = split(hessianOf(16), isUnitVectors);
    const costly = ({ wgsl }: Step): boolean => /\b(exp|tanh|log|pow|\w*softplus\w*|\w*sigmoid\w*)\(/.test(wgsl);
    expect(primal.some(costly)).toBe(true);
    expect(tangent.filter(costly).map(({ label }) => label)).toEqual([]);
  });

  for (const [name, network] of Object.entries(networks)) {
    test(`${name}: primal work does not depend on the number of tangents`, () => {
      // Extents that the networks themselves do not have.
      const [few, some, many] = [7, 28, 112].map((count) => workOf(network, count)) as [Work, Work, Work];
      expect(few.primal.kernels.length).toBeGreaterThan(0);
      expect(some.primal).toEqual(few.primal);
      expect(many.primal).toEqual(few.primal);
      expect([some.dispatches, many.dispatches]).toEqual([few.dispatches, few.dispatches]);
      // What has the axis grows with it, and with nothing else.
      expect(some.flops / few.flops).toBeCloseTo(4, 2);
      expect(many.flops / few.flops).toBeCloseTo(16, 2);
    });
  }

  function workOf(network: Network, count: number): Work {
    const { inputs, batched, tangents } = productsOf(network, count, 1);
    const program = compile(device, { inputs: [...inputs, tangents], outputs: [batched] });
    // A primal value that is copied along the axis for the kernels that read it has the axis, too.
    const { primal, tangent } = split(program, (node) => node === tangents || node.shape[0] === count);
    return {
      primal: { kernels: kernels(primal), flops: total(primal, "flops"), workgroups: total(primal, "workgroups") },
      dispatches: tangent.length,
      flops: total(tangent, "flops"),
    };
  }
});

/** What a program does without and with the axis of tangents. */
interface Work {
  readonly primal: { readonly kernels: readonly string[]; readonly flops: number; readonly workgroups: number };
  readonly dispatches: number;
  readonly flops: number;
}

// The battery proves that a Hessian-vector product is the difference of gradients, and batches tangents together with
// cotangents. Here tangents alone have an axis, as in a Hessian; then the points too, which share the tangents.
describe("batched tangents are single ones", () => {
  for (const [family, battery] of Object.entries(families)) {
    test(family, () => {
      const cases = Object.entries(battery).flatMap(([op, list]) => list.map((c, i) => ({ name: `${op} ${i}`, c })));
      const wrong = cases.flatMap(({ name, c }) => {
        const error = batchedError(c);
        return error < 1e-12
          ? []
          : [`${name} (${c.inputs.map(({ shape }) => formatShape(shape)).join(" ")}): ${error}`];
      });
      expect(wrong).toEqual([]);
    });
  }
});

/** Largest error of Hessian-vector products with an axis for tangents, and of those with one for points besides. */
function batchedError(c: BatteryCase): number {
  const { inputs, outputs } = trace(c.fn, c.inputs);
  const y = outputs[0]!;
  if (y.dtype !== "f32") return 0;
  const [u, w] = [input(y.shape), input(y.shape)];
  const vs = inputs.map((x) => (x.dtype === "f32" ? input(x.shape) : null));
  const gradient = vjpGraph([y], inputs, [add(u, mul(w, y))]).filter((g) => g !== null);
  const products = jvpGraph(gradient, inputs, vs).filter((g) => g !== null);
  const live = vs.filter((v) => v !== null);
  const wide = new Map(live.map((v) => [v, input([TANGENTS, ...v.shape])]));
  const batched = batchGraph(products, wide, TANGENTS);
  const points = new Map(inputs.map((x) => [x, input([POINTS, ...x.shape], x.dtype)]));
  const atPoints = batchGraph(
    batched.map(({ node }) => node),
    points,
    POINTS,
  );

  const random = generator(3);
  const constants: [Node, Array64][] = [u, w].map((node) => [node, randomArray({ shape: node.shape }, random)]);
  const directions = live.map((v) => drawn({ shape: v.shape }, TANGENTS, random));
  const places = inputs.map((_, i) => drawn(c.inputs[i]!, POINTS, random));
  const at = (s: number): [Node, Array64][] => [
    ...constants,
    ...inputs.map((x, i): [Node, Array64] => [x, places[i]![s]!]),
  ];
  const along = live.map((v, i): [Node, Array64] => [wide.get(v)!, stacked(directions[i]!)]);
  const everywhere = inputs.map((x, i): [Node, Array64] => [points.get(x)!, stacked(places[i]!)]);
  const first = evaluateNodes(
    batched.map(({ node }) => node),
    new Map([...at(0), ...along]),
  );
  const all = evaluateNodes(
    atPoints.map(({ node }) => node),
    new Map([...at(0), ...along, ...everywhere]),
  );
  let error = 0;
  for (let s = 0; s < POINTS; s++) {
    for (let t = 0; t < TANGENTS; t++) {
      const known = new Map([...at(s), ...live.map((v, i): [Node, Array64] => [v, directions[i]![t]!])]);
      evaluateNodes(products, known).forEach((expected, k) => {
        const own = batched[k]!.batched ? t : undefined;
        if (s === 0) error = Math.max(error, worstError(rowsOf(first[k]!, [own]), expected));
        const point = atPoints[k]!.batched ? s : undefined;
        error = Math.max(error, worstError(rowsOf(all[k]!, [point, own]), expected));
      });
    }
  }
  return error;
}

/** Takes one position of each leading axis; an absent position means that the axis is absent. */
function rowsOf(array: Array64, at: readonly (number | undefined)[]): Array64 {
  return at.reduce<Array64>((rest, i) => {
    if (i === undefined) return rest;
    const length = rest.data.length / rest.shape[0]!;
    return { shape: rest.shape.slice(1), data: rest.data.slice(i * length, (i + 1) * length) };
  }, array);
}

describe("batched tangents are differences of gradients", () => {
  for (const [name, network] of Object.entries(networks)) {
    test(name, () => {
      const random = generator(5);
      const { inputs, gradient, batched, tangents } = productsOf(network, TANGENTS, POINTS);
      const values = network.inputs.map((range) => randomArray(range, random));
      const directions = drawn({ shape: network.inputs[0]!.shape }, TANGENTS, random);
      const bound = (x: Array64): [Node, Array64][] => inputs.map((node, i) => [node, i === 0 ? x : values[i]!]);
      const [got] = evaluateNodes([batched], new Map([...bound(values[0]!), [tangents, stacked(directions)]]));
      const step = 2e-4;
      const gradientAt = (v: Array64, k: number): Float64Array =>
        evaluateNodes([gradient], new Map(bound(axpy(values[0]!, k * step, v))))[0]!.data;
      const expected = directions.map((v) => {
        const [a, b, c, d] = [-2, -1, 1, 2].map((k) => gradientAt(v, k)) as [
          Float64Array,
          Float64Array,
          Float64Array,
          Float64Array,
        ];
        return { shape: v.shape, data: a.map((far, i) => (far - 8 * b[i]! + 8 * c[i]! - d[i]!) / (12 * step)) };
      });
      expect(Math.max(...got!.data.map(Math.abs))).toBeGreaterThan(1e-2);
      expect(worstError(got!, stacked(expected))).toBeLessThan(1e-7);
    });
  }
});
