// Random graphs on the device against double precision: combinations of fusion and memory reuse that nobody thought of.
import { expect, test } from "vitest";
import { grad } from "../../src/autograd/api.ts";
import type { Value } from "../../src/graph/node.ts";
import { trace } from "../../src/graph/trace.ts";
import * as k from "../../src/kernels/index.ts";
import { generator, randomArray } from "../../src/reference/random.ts";
import { verify } from "../../src/reference/verify.ts";
import { hostArray } from "../../src/tensor/host.ts";
import { testDevice, withCleanDevice } from "../gpu.ts";

const PROGRAMS = Number(process.env["AUMANN_RANDOM_PROGRAMS"] ?? 12);
const NODES = 14;
const SHAPES = [[], [1], [6], [4, 6], [3, 4], [2, 3, 4], [1, 3, 6]];

type Pick = <T>(from: readonly T[]) => T;

/** All results stay near [-1, 1], so that nothing overflows or loses its digits however deep the graph is. */
const UNARY: readonly ((x: Value) => Value)[] = [
  k.tanh,
  k.sin,
  k.neg,
  k.sigmoid,
  k.relu,
  (x) => k.softplus(k.sub(x, 1)),
  (x) => k.mul(x, 0.7),
  (x) => k.exp(k.neg(k.square(x))),
];
const BINARY: readonly ((x: Value, y: Value) => Value)[] = [
  k.mul,
  (x, y) => k.mul(k.add(x, y), 0.5),
  (x, y) => k.mul(k.sub(x, y), 0.5),
  (x, y) => k.div(x, k.add(k.square(y), 1)),
  k.maximum,
  (x, y) => k.select(k.greater(x, y), x, k.mul(y, 0.5)),
];

function reshaped(x: Value, pick: Pick, random: () => number): Value {
  const rank = x.shape.length;
  if (rank === 0) return k.broadcastTo(x, pick([[1], [6], [3, 4]]));
  const axis = Math.floor(random() * rank);
  const extent = x.shape[axis]!;
  return pick([
    () => k.transpose(x),
    () => k.reshape(x, [-1]),
    () => k.flip(x, axis),
    () => k.sliceAxis(x, axis, Math.floor(extent / 2), extent),
    () =>
      k.pad(
        x,
        x.shape.map((_, i) => (i === axis ? ([1, 2] as const) : ([0, 0] as const))),
        0.25,
      ),
    () => k.concat([x, k.mul(x, 0.5)], axis),
    () => k.mean(x, axis),
    () => k.mean(x, axis, { keepDims: true }),
    () => k.max(x, axis),
    () => k.softmax(x, axis),
    () => k.expandDims(x, axis),
  ])();
}

const fitting = (x: Value, y: Value): boolean =>
  [...x.shape].reverse().every((n, i) => [1, n, undefined].includes([...y.shape].reverse()[i]) || n === 1);

/** A graph of about NODES operations; its results are the nodes that nothing else uses. */
function build(inputs: readonly Value[], seed: number): Value[] {
  const random = generator(seed);
  const pick: Pick = (from) => from[Math.floor(random() * from.length)]!;
  const values = [...inputs];
  for (let i = 0; i < NODES; i++) {
    const x = pick(values);
    const partners = values.filter((y) => fitting(x, y) && y.shape.length <= 4);
    const factors = values.filter(
      (y) =>
        x.shape.length >= 2 &&
        y.shape.length >= 2 &&
        y.shape.at(-1) === x.shape.at(-1) &&
        (y.shape.length === 2 || x.shape.length === 2),
    );
    const kind = random();
    if (kind < 0.25) values.push(pick(UNARY)(x));
    else if (kind < 0.55) values.push(pick(BINARY)(x, pick(partners)));
    else if (kind < 0.7 && factors.length > 0) {
      values.push(k.mul(k.matmul(x, pick(factors), { transposeB: true }), 0.2));
    } else if (x.shape.length < 4 && x.shape.every((n) => n < 20)) values.push(reshaped(x, pick, random));
  }
  const used = new Set(values.flatMap((x) => x.inputs));
  return values.filter((x) => !used.has(x));
}

test.each(Array.from({ length: PROGRAMS }, (_, i) => i + 1))("random program %d", (seed) =>
  withCleanDevice(async () => {
    const random = generator(1000 + seed);
    const inputs = SHAPES.map((shape) => hostArray(randomArray({ shape }, random).data, shape));
    const graph = trace((...xs) => {
      const total = (...values: Value[]): Value =>
        build(values, seed).reduce<Value>((sum, y) => k.add(sum, k.sum(y)), k.sum(values[0]!));
      return [...build(xs, seed), grad(total, { argument: 3 })(...xs), grad(total, { argument: 5 })(...xs)];
    }, inputs);
    const errors = await verify(await testDevice(), graph, inputs);
    expect(errors.filter(({ error }) => error > 1e-4)).toEqual([]);
  }),
);
