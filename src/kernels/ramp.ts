// Products of rectified lines with weights, for all nodes of a straight path at once. A unit max(0, start + node along) switches
// once at most on its way, so that with nodes in order, sums over units change by one unit at a time, and sums over nodes are
// running sums: H O operations in place of S H O. Shapes: M baselines, B examples, S nodes, H units, O outputs.
import type { DType } from "../tensor/dtype.ts";
import type { Shape } from "../tensor/shape.ts";
import { withoutRule } from "../graph/leaves.ts";
import { apply, type Node, type Value } from "../graph/node.ts";
import { primitive, type Attrs, type Capabilities, type KernelCall, type Primitive } from "../graph/primitive.ts";
import { add } from "./arithmetic.ts";
import { index } from "./slice.ts";
import dotsWgsl from "./wgsl/ramp_dots.wgsl";
import keysWgsl from "./wgsl/ramp_keys.wgsl";
import orderWgsl from "./wgsl/ramp_order.wgsl";
import rowsWgsl from "./wgsl/ramp_rows.wgsl";
import sumsWgsl from "./wgsl/ramp_sums.wgsl";

/** Extents of a product along paths; `own` is how many sets of nodes a baseline has: 1, or one for each example. */
interface RampAttrs extends Attrs {
  readonly baselines: number;
  readonly examples: number;
  readonly steps: number;
  readonly own: number;
  readonly units: number;
  readonly outputs: number;
  /** The weights are stored [O, H]. */
  readonly transposed: boolean;
}

const pathsOf = ({ baselines, examples }: RampAttrs): number => baselines * examples;
const stridesOf = ({ units, outputs, transposed }: RampAttrs): number[] => (transposed ? [1, units] : [outputs, 1]);

interface Call extends Pick<KernelCall, "wgsl" | "uniforms" | "flops" | "constants"> {
  readonly invocations: number;
  readonly quick?: Call;
}

/** Invocations of a workgroup, where the text has no constant for it. */
const LANES = 16;

const kernelCall = ({ invocations, quick, ...call }: Call): KernelCall => ({
  ...call,
  workgroups: Math.ceil(invocations / Number(call.constants?.["LANES"] ?? LANES)),
  quick: quick && kernelCall(quick),
});

/** A kernel of whole paths: nothing differentiates or batches it, and results are stored out of order. */
function kernel<A extends Attrs>(
  name: string,
  shapeOf: (attrs: A) => Shape,
  callOf: (attrs: A, capabilities: Capabilities, inputs: readonly Node[]) => Call,
  dtype: DType = "f32",
): Primitive<A> {
  return primitive<A>({
    name,
    aval: (_, attrs) => ({ shape: shapeOf(attrs), dtype }),
    lowering: {
      kind: "kernel",
      epilogue: false,
      call: ({ inputs, attrs }, capabilities) => kernelCall(callOf(attrs, capabilities, inputs)),
    },
    jvp: withoutRule(name),
    batch: withoutRule(name),
  });
}

/** Numbers [rows / apart, length, apart] -> positions along the second axis in ascending order of the numbers [rows, length] */
const orderPrimitive = /* @__PURE__ */ kernel<Record<"rows" | "length" | "apart", number>>(
  "rampOrder",
  ({ rows, length }) => [rows, length],
  ({ rows, length, apart }) => ({
    wgsl: orderWgsl,
    uniforms: [rows, length, apart],
    invocations: rows * Math.ceil(length / 4),
    flops: rows * length * length,
  }),
  "i32",
);

/** start, along, nodes, order of nodes -> [M, B, H] */
const keysPrimitive = /* @__PURE__ */ kernel<RampAttrs>(
  "rampKeys",
  ({ baselines, examples, units }) => [baselines, examples, units],
  (attrs) => {
    const invocations = pathsOf(attrs) * attrs.units;
    return {
      wgsl: keysWgsl,
      uniforms: [pathsOf(attrs), attrs.examples, attrs.steps, attrs.units, attrs.own],
      invocations,
      flops: 2 * invocations * Math.ceil(Math.log2(attrs.steps + 1)),
    };
  },
);

/** start, along, weights, keys, order of keys, nodes, order of nodes -> two parts of the product, [2, M S, B, O] */
const rowsPrimitive = /* @__PURE__ */ kernel<RampAttrs>(
  "rampRows",
  ({ baselines, examples, steps, outputs }) => [2, baselines * steps, examples, outputs],
  (attrs, { software }) => {
    const { examples, steps, units, outputs } = attrs;
    const paths = pathsOf(attrs);
    const tile = (LANES: number, FOURS: number): Call => ({
      wgsl: rowsWgsl,
      uniforms: [paths, examples, steps, units, outputs, attrs.own, ...stridesOf(attrs)],
      constants: { LANES, FOURS },
      invocations: 2 * paths * Math.ceil(outputs / (4 * FOURS)),
      flops: 4 * paths * outputs * (units + steps),
    });
    // A software adapter pays for loads, most of which a larger tile does not repeat; a GPU wants invocations.
    return software ? { ...tile(4, 2), quick: tile(4, 1) } : tile(64, 1);
  },
);

/** cotangents [M, S', B, O] of the first S' nodes, order of nodes -> running sums [M, B, 2 S, O] */
const sumsPrimitive = /* @__PURE__ */ kernel<RampAttrs>(
  "rampSums",
  ({ baselines, examples, steps, outputs }) => [baselines, examples, 2 * steps, outputs],
  (attrs, _, [cotangents]) => {
    const { examples, steps, outputs } = attrs;
    const paths = pathsOf(attrs);
    return {
      wgsl: sumsWgsl,
      uniforms: [paths, examples, steps, cotangents!.shape[1]!, outputs, attrs.own],
      invocations: 2 * paths * Math.ceil(outputs / 4),
      flops: 2 * paths * steps * outputs,
    };
  },
);

/** running sums, keys, weights -> [M, B, H] */
const dotsPrimitive = /* @__PURE__ */ kernel<RampAttrs>(
  "rampDots",
  ({ baselines, examples, units }) => [baselines, examples, units],
  (attrs) => {
    const { steps, units, outputs } = attrs;
    const invocations = pathsOf(attrs) * units;
    return {
      wgsl: dotsWgsl,
      uniforms: [pathsOf(attrs), steps, units, outputs, ...stridesOf(attrs)],
      invocations,
      flops: 2 * invocations * outputs,
    };
  },
);

/** Units on straight paths, and what they are multiplied with. */
export interface Ramp {
  /** What is rectified, at the beginning of each path and as its tangent along it: [M, B, H]. */
  readonly start: Value;
  readonly along: Value;
  /** [M, S], or [M, S, B] where examples have nodes of their own; in any order. */
  readonly nodes: Value;
  /** [H, O], or [O, H] if `transposed`. */
  readonly weights: Value;
  readonly transposed: boolean;
}

/** What can be computed of {@link Ramp}: the product, and its transpose for sums over nodes. */
export interface RampProduct {
  /** relu(start + node along) weights, [M S, B, O] */
  readonly rows: Value;
  /**
   * Cotangent of `start`: sum over nodes of the transposed product, where units are on (the derivative of relu at 0 is 0).
   * @param cotangents [M, S', B, O], of the first S' nodes
   * @returns [M, B, H]
   */
  pull(cotangents: Value): Value;
}

/** The product of {@link Ramp}. Not differentiable: `pull` is what a path integral needs of its derivative. */
export function rampProduct({ start, along, nodes, weights, transposed }: Ramp): RampProduct {
  const [baselines, examples, units] = start.shape as [number, number, number];
  const [, steps, own = 1] = nodes.shape as [number, number, number?];
  const attrs = { baselines, examples, steps, own, units, outputs: weights.shape[transposed ? 0 : 1]!, transposed };
  const sorted = apply(orderPrimitive, [nodes], { rows: baselines * own, length: steps, apart: own });
  const keys = apply(keysPrimitive, [start, along, nodes, sorted], attrs);
  const order = apply(orderPrimitive, [keys], { rows: baselines * examples, length: units, apart: 1 });
  const parts = apply(rowsPrimitive, [start, along, weights, keys, order, nodes, sorted], attrs);
  return {
    rows: add(index(parts, 0, 0), index(parts, 0, 1)),
    pull: (cotangents) =>
      apply(dotsPrimitive, [apply(sumsPrimitive, [cotangents, sorted], attrs), keys, weights], attrs),
  };
}
