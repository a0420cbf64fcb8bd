// Products of rectified lines against double precision loops over nodes, units and outputs.
import { describe, expect, test } from "vitest";
import { compile } from "../../src/compiler/program.ts";
import type { Value } from "../../src/graph/node.ts";
import { rampProduct } from "../../src/kernels/ramp.ts";
import type { Device } from "../../src/tensor/index.ts";
import { draw, expectNear } from "../attribution/networks.ts";
import { openValidationDevice, passingFor, withCleanDevice } from "../gpu.ts";

interface Case {
  readonly baselines?: number;
  readonly examples?: number;
  readonly units: number;
  readonly outputs: number;
  /** Of one path; with `own`, examples shift them. */
  readonly nodes: readonly number[];
  readonly own?: boolean;
  readonly transposed?: boolean;
  /** Nodes that have cotangents; default all. */
  readonly given?: number;
  readonly start?: (i: number) => number;
  readonly along?: (i: number) => number;
}

const indices = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** Every index of a case's loops, with positions in its arrays. */
function* lines({ start, along, nodes }: Record<"start" | "along" | "nodes", number[]>, c: Case) {
  const { baselines = 1, examples = 1, units, own = false } = c;
  const steps = c.nodes.length;
  for (const m of indices(baselines))
    for (const b of indices(examples))
      for (const s of indices(steps)) {
        const u = nodes[own ? (m * steps + s) * examples + b : m * steps + s]!;
        for (const h of indices(units)) {
          const unit = (m * examples + b) * units + h;
          const z = start[unit]! + u * along[unit]!;
          if (z > 0) yield { unit, h, row: (m * steps + s) * examples + b, m, b, s, z };
        }
      }
}

/** Of start, along, nodes, weights and cotangents. */
function shapesOf(c: Case): number[][] {
  const { baselines = 1, examples = 1, units, outputs, nodes, own, transposed, given = nodes.length } = c;
  return [
    [baselines, examples, units],
    [baselines, examples, units],
    own ? [baselines, nodes.length, examples] : [baselines, nodes.length],
    transposed ? [outputs, units] : [units, outputs],
    [baselines, given, examples, outputs],
  ];
}

const kernelsOf =
  (transposed: boolean) =>
  (start: Value, along: Value, nodes: Value, weights: Value, cotangents: Value): Value[] => {
    const product = rampProduct({ start, along, nodes, weights, transposed });
    return [product.rows, product.pull(cotangents)];
  };

async function check(device: Device, c: Case): Promise<void> {
  const { baselines = 1, examples = 1, units, outputs, own = false, transposed = false } = c;
  const steps = c.nodes.length;
  const { given = steps } = c;
  const count = baselines * examples * units;
  const single = (values: number[]): number[] => [...Float32Array.from(values)];
  const start = single(c.start ? indices(count).map(c.start) : draw(count, 1));
  const along = single(c.along ? indices(count).map(c.along) : draw(count, 2, 2));
  const nodes = single(
    indices(baselines).flatMap((m) =>
      c.nodes.flatMap((u) => (own ? indices(examples).map((b) => u * (1 - 0.2 * b - 0.1 * m)) : [u])),
    ),
  );
  const weights = single(draw(units * outputs, 3));
  const cotangents = single(draw(baselines * given * examples * outputs, 4));
  const shapes = shapesOf(c);
  const program = compile(
    device,
    kernelsOf(transposed),
    shapes.map((shape) => ({ shape })),
  );
  const tensors = [start, along, nodes, weights, cotangents].map((data, i) => device.tensor(data, shapes[i]));
  const [rows, pulled] = await program.runAndRead(tensors);
  await program.ready(true);
  // What a first call runs gives the same bits.
  expect(await program.runAndRead(tensors)).toEqual([rows, pulled]);
  tensors.forEach((t) => t.dispose());

  const weight = (h: number, o: number): number => weights[transposed ? o * units + h : h * outputs + o]!;
  const expectedRows = new Float64Array(baselines * steps * examples * outputs);
  const expectedPulled = new Float64Array(count);
  for (const { unit, h, row, m, b, s, z } of lines({ start, along, nodes }, c))
    for (const o of indices(outputs)) {
      expectedRows[row * outputs + o]! += z * weight(h, o);
      if (s < given)
        expectedPulled[unit]! += cotangents[((m * given + s) * examples + b) * outputs + o]! * weight(h, o);
    }
  expect(rows!.shape).toEqual([baselines * steps, examples, outputs]);
  expectNear(rows!.data, expectedRows, 1e-5);
  expectNear(pulled!.data, expectedPulled, 1e-5);
}

const midpoints = (steps: number): number[] => indices(steps).map((s) => (s + 0.5) / steps);

describe("products of rectified lines", () => {
  const cases: Readonly<Record<string, Case>> = {
    "one path": { units: 37, outputs: 21, nodes: midpoints(9) },
    "one unit, one output, one node": { units: 1, outputs: 1, nodes: [0.3] },
    "outputs in whole tiles": { units: 16, outputs: 16, nodes: midpoints(12) },
    "several baselines and examples": { baselines: 3, examples: 2, units: 18, outputs: 7, nodes: midpoints(5) },
    "nodes of each example": { baselines: 2, examples: 3, units: 11, outputs: 5, nodes: midpoints(6), own: true },
    "weights stored by outputs": { examples: 2, units: 13, outputs: 9, nodes: midpoints(4), transposed: true },
    "nodes in any order, some twice": { units: 25, outputs: 6, nodes: [0.7, 0.1, 1, 0, 0.1, 0.4, 1.3, -0.5] },
    "cotangents of the first nodes only": {
      examples: 2,
      units: 15,
      outputs: 6,
      nodes: [...midpoints(6), 0, 1],
      given: 6,
    },
    "units that never switch": { units: 12, outputs: 5, nodes: midpoints(7), along: () => 0 },
    "units that are zero all along": { units: 4, outputs: 5, nodes: midpoints(7), start: () => 0, along: () => 0 },
    // 0 at one node exactly: off there, whichever way the unit goes.
    "units that switch at a node": {
      units: 10,
      outputs: 5,
      nodes: [0, 0.25, 0.5, 0.75, 1],
      start: (i) => (i % 2 ? 0.5 : -0.5) * (1 + (i % 3)),
      along: (i) => (i % 2 ? -1 : 1) * (1 + (i % 3)),
    },
  };
  describe.each([true, false])("software adapter: %s", (software) => {
    test.each(Object.entries(cases))("%s", (_, c) =>
      withCleanDevice((device) => passingFor(software, device, () => check(device, c))),
    );
  });

  test("compile within WebGPU's default limits", async () => {
    const device = await openValidationDevice();
    const c: Case = { baselines: 2, examples: 3, units: 11, outputs: 5, nodes: midpoints(6), own: true };
    const specs = shapesOf(c).map((shape) => ({ shape }));
    for (const software of [true, false])
      await passingFor(software, device, async () => {
        await compile(device, kernelsOf(false), specs).ready(true);
      });
    device.destroy();
  });
});
