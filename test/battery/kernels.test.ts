// The kernels of every operation against double precision: its value, its gradient and a Hessian-vector product, all cases
// of an operation in one program.
import { afterAll, describe, expect, test } from "vitest";
import { batchGraph } from "../../src/autograd/batch.ts";
import { jvpGraph } from "../../src/autograd/jvp.ts";
import { vjpGraph } from "../../src/autograd/transpose.ts";
import { input } from "../../src/graph/leaves.ts";
import type { Node } from "../../src/graph/node.ts";
import { reachable, trace } from "../../src/graph/trace.ts";
import type { BatteryCase } from "../../src/kernels/battery.ts";
import { add, mul } from "../../src/kernels/arithmetic.ts";
import { generator, randomArray, type Range } from "../../src/reference/random.ts";
import { verify } from "../../src/reference/verify.ts";
import { formatShape } from "../../src/tensor/shape.ts";
import { hostArray } from "../../src/tensor/host.ts";
import { testDevice, withCleanDevice } from "../gpu.ts";
import { families } from "./all.ts";

const TOLERANCE = 3e-5;

/** An output of the program, and what to call it. */
interface Result {
  readonly what: string;
  readonly node: Node;
  readonly tolerance: number;
}

/** What one case adds to the program of its operation. */
interface Part {
  readonly inputs: readonly Node[];
  readonly ranges: readonly Range[];
  readonly results: readonly Result[];
}

function partOf(c: BatteryCase, at: number): Part {
  const { inputs, outputs } = trace(c.fn, c.inputs);
  const y = outputs[0]!;
  const drawn = new Map<Node, Range>(inputs.map((x, i) => [x, c.inputs[i]!]));
  const draw = (like: Node): Node | null => (like.dtype === "f32" ? drawInput(drawn, { shape: like.shape }) : null);
  const vs = inputs.map(draw);
  const [u, w] = [draw(y), draw(y)];
  const seeds = [...vs, u, w].filter((x) => x !== null);
  // The gradient of u . y + w . y^2 / 2: curved even where the operation is linear.
  const gradient = u ? vjpGraph([y], inputs, [add(u, mul(w!, y))]).filter((g) => g !== null) : [];
  const product = jvpGraph(gradient, inputs, vs).filter((g) => g !== null);
  const where = `case ${at} (${c.inputs.map((x) => formatShape(x.shape)).join(" ")})`;
  const label = (what: string, nodes: readonly Node[]): Result[] =>
    nodes.map((node) => ({ what: `${what} of ${where}`, node, tolerance: c.tolerance ?? TOLERANCE }));
  const results = [...label("value", [y]), ...label("gradient", gradient), ...label("Hessian-vector product", product)];
  // Residuals shared by a batch of cotangents; a batch of examples; a batch of one argument, the others shared.
  const sets = [seeds, inputs, ...(inputs.length > 1 ? [inputs.slice(0, 1)] : [])];
  const batched = sets.flatMap((set, i) =>
    batchedResults(results, set, ["directions", "examples", "argument 0"][i]!, drawn),
  );
  return { inputs: [...drawn.keys()], ranges: [...drawn.values()], results: [...results, ...batched] };
}

function drawInput(drawn: Map<Node, Range>, range: Range): Node {
  const node = input(range.shape, range.dtype ?? "f32");
  drawn.set(node, range);
  return node;
}

const BATCH = 3;

function batchedResults(
  results: readonly Result[],
  set: readonly Node[],
  of: string,
  drawn: Map<Node, Range>,
): Result[] {
  const replaced = new Map(
    set.map((x) => [x, drawInput(drawn, { ...drawn.get(x)!, dtype: x.dtype, shape: [BATCH, ...x.shape] })]),
  );
  const made = batchGraph(
    results.map(({ node }) => node),
    replaced,
    BATCH,
  );
  return made.flatMap(({ node, batched }, i) => {
    const { what, tolerance } = results[i]!;
    return batched ? [{ what: `batch over ${of}: ${what}`, node, tolerance }] : [];
  });
}

async function verifyOperation(cases: readonly BatteryCase[]): Promise<void> {
  const parts = cases.map(partOf);
  // Results that are constant (the Hessian of a linear function) need no kernel.
  const outputs = parts
    .flatMap((part) => part.results)
    .filter(({ node }) => reachable([node]).some((x) => x.primitive.name === "input"));
  const inputs = parts.flatMap((part) => part.inputs);
  const random = generator(7);
  const arrays = parts
    .flatMap((part) => part.ranges)
    .map((range) => hostArray(randomArray(range, random).data, range.shape, range.dtype ?? "f32"));
  const device = await testDevice();
  const errors = await verify(device, { inputs, outputs: outputs.map(({ node }) => node) }, arrays);
  const wrong = errors.flatMap(({ error }, i) =>
    error <= outputs[i]!.tolerance ? [] : [`${outputs[i]!.what}: ${error.toExponential(1)}`],
  );
  expect(wrong).toEqual([]);
}

for (const [family, battery] of Object.entries(families)) {
  describe(family, () => {
    for (const [op, cases] of Object.entries(battery)) {
      test(op, () => withCleanDevice(() => verifyOperation(cases)));
    }
  });
}

afterAll(async () => {
  const { pipelines } = (await testDevice()).counters;
  console.log(`battery: ${pipelines} pipelines so far`);
});
