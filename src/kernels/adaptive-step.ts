// One step of an adaptive path: chooses which coordinates move, moves them, and adds up their share of the score.
import { refuseShapes } from "../tensor/checks.ts";
import { formatShape, numel, sameShape } from "../tensor/shape.ts";
import { withoutRule } from "../graph/leaves.ts";
import { apply, type Value } from "../graph/node.ts";
import { primitive } from "../graph/primitive.ts";
import adaptiveStepWgsl from "./wgsl/adaptive_step.wgsl";

/** Elements of the state of a row with `length` coordinates. */
export const stateLength = (length: number): number => 3 * length + 1;

/** Where `rows` of `length` coordinates begin: all of every way is left. */
export const firstState = (rows: number, length: number): Float32Array =>
  Float32Array.from({ length: rows * stateLength(length) }, (_, i) => (i % stateLength(length) < length ? 1 : 0));

/** Up to so many coordinates, 8 turns with 16 bins take no longer than 4 with 256. */
const FEW = 8192;

const adaptiveStepPrimitive = /* @__PURE__ */ primitive<Record<never, never>>({
  name: "adaptiveStep",
  aval([cost, slope, span, state]) {
    const [length = 0, ...rows] = [...cost!.shape].reverse();
    const expected = [...rows.reverse(), stateLength(length)];
    if (![slope!, span!].every((x) => sameShape(x.shape, cost!.shape)) || !sameShape(state!.shape, expected))
      refuseShapes(
        "adaptiveStep",
        `${formatShape(cost!.shape)} three times and state ${formatShape(expected)}`,
        slope!,
        span!,
        state!,
      );
    return { shape: expected, dtype: "f32" };
  },
  lowering: {
    kind: "kernel",
    epilogue: false,
    long: true,
    call({ inputs: [cost] }, { software }) {
      const length = cost!.shape.at(-1)!;
      const rows = numel(cost!.shape) / length;
      return {
        wgsl: adaptiveStepWgsl,
        uniforms: [rows, length],
        workgroups: rows,
        // At every barrier a software adapter switches between groups of four invocations, and each word of workgroup memory
        // takes 0.7 ms to build: 256 bins only where there is much to count.
        constants: software ? { LANES: 4, BITS: length > FEW ? 8 : 4 } : { LANES: 256, BITS: 8 },
        // Two rounds, on average.
        flops: 20 * numel(cost!.shape),
      };
    },
  },
  jvp: /* @__PURE__ */ withoutRule("adaptiveStep"),
  batch: /* @__PURE__ */ withoutRule("adaptiveStep"),
});

/**
 * Moves the cheapest coordinates of every row until it has gone as far as the next step asks for (arXiv 2106.09788).
 * @param cost [..., d]; the lowest move first
 * @param slope [..., d] derivative of the score by the part of its way that a coordinate has gone
 * @param span [..., d] length of each coordinate's way
 * @param state [..., 3 d + 1]: parts of the ways left (1 to 0), attributions, their rounding errors, steps done;
 * see {@link firstState}
 * @param settings [3]: number of steps; how many coordinates at least are cheaper than the last one that moves; half the
 * width of the corridor around equal progress
 * @returns the next state. Not differentiable, and rows are its only leading axes
 */
export const adaptiveStep = (cost: Value, slope: Value, span: Value, state: Value, settings: Value): Value =>
  apply(adaptiveStepPrimitive, [cost, slope, span, state, settings], {});
