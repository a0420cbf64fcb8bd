// The path integral of a whole dense network by one kernel: which extents it takes, how paths are shared out, what it reads.
import { refuseShapes } from "../tensor/checks.ts";
import { numel } from "../tensor/shape.ts";
import { fill, withoutRule } from "../graph/leaves.ts";
import { apply, type Value } from "../graph/node.ts";
import { primitive, type Attrs, type Capabilities, type KernelCall } from "../graph/primitive.ts";
import { concat, pad } from "./join.ts";
import { reshape, transpose } from "./movement.ts";
import mlpPathWgsl from "./wgsl/mlp_path.wgsl";

/** f of z and its derivative, as bodies of WGSL functions of `z`. */
export interface ActivationText extends Attrs {
  readonly value: string;
  readonly slope: string;
  /** Whether `slope` is a function of what f was applied to, rather than of its result. */
  readonly kept: boolean;
  /** Functions that the two call. */
  readonly helpers: readonly string[];
}

/** What decides whether the kernel applies, and how its work is divided. */
export interface MlpExtents extends Attrs {
  /** Of the input and of every layer. */
  readonly widths: readonly number[];
  /** Whether slopes are kept beside activations. */
  readonly kept: boolean;
  readonly paths: number;
  readonly examples: number;
  /** Nodes of a path. */
  readonly steps: number;
}

/** How paths are shared out. */
export interface MlpShares extends Attrs {
  /** Shares of a path; every share writes sums of its own. */
  readonly count: number;
  /** Points of the path in each. */
  readonly points: number;
  /** Whether an invocation has a share to itself, and needs no barriers; otherwise a workgroup has. */
  readonly alone: boolean;
}

const SCORES = ["logit", "probability", "logProbability"] as const;
export type MlpScore = (typeof SCORES)[number];

export interface MlpAttrs extends Attrs {
  readonly extents: MlpExtents;
  readonly shares: MlpShares;
  readonly activation: ActivationText;
  readonly score: MlpScore;
}

const MAX_LAYERS = 8;
/** vec4s of the default 16 KiB of workgroup memory. */
const WORKGROUP_UNITS = 1024;
/** vec4s of memory of its own for each invocation, which a software adapter clears one by one. */
const PRIVATE_UNITS = 512;
/** Of a workgroup whose invocations have shares of their own: the lanes of one vector instruction. */
const SIDE = 4;
/** Points in a tile of the kernel. */
const TILE = 4;
/** Most tiles of a share: longer sums in single precision lose digits. */
const MAX_TILES = 64;
/** Shares that keep an adapter busy: invocations of two cores, or workgroups of a GPU. */
const BUSY = { software: 2 * SIDE, hardware: 32 };
/**
 * Turns of the inner loop, one after another, that should take a GPU less time than the dispatches that are saved: each waits
 * some 200 ns for memory, and a dozen dispatches that depend on each other take 5 to 10 microseconds each. Reckoned, not
 * measured.
 */
const MOST_TURNS = 384;

const quads = (n: number): number => Math.ceil(n / 4);
const total = (numbers: readonly number[]): number => numbers.reduce((a, b) => a + b, 0);
/** Places of all layers, and of slopes: those of hidden layers. */
const unitsOf = ({ widths, kept }: MlpExtents): number =>
  4 * (total(widths.map(quads)) + (kept ? total(widths.slice(1, -1).map(quads)) : 0));

/**
 * How the kernel would share out paths; undefined if the network does not fit it: more than 8 layers, or more units than
 * fit into workgroup memory (1024, with slopes, if kept).
 */
export function mlpShares(extents: MlpExtents, { software }: Capabilities): MlpShares | undefined {
  const { widths, paths, examples, steps } = extents;
  const units = unitsOf(extents);
  if (units > WORKGROUP_UNITS || widths.length > MAX_LAYERS + 1) return undefined;
  const perShare = ((steps + 1) * paths * examples) / (software ? BUSY.software : BUSY.hardware);
  const tiles = Math.min(MAX_TILES, ...[steps + 2, perShare + 1].map((points) => Math.ceil(points / TILE)));
  const points = TILE * tiles - 1;
  return { count: Math.ceil((steps + 1) / points), points, alone: software && units <= PRIVATE_UNITS };
}

/**
 * Whether the kernel is expected to take less time than kernels for each layer: on GPUs where a workgroup is done soon and
 * weights are packed at once, on software adapters never. Those compute slowly and dispatch quickly: there it was measured
 * to be slower for all but the smallest networks, and to take longer to build than all the kernels that it replaces.
 */
export function prefersMlpPath(
  { widths }: MlpExtents,
  { points }: MlpShares,
  { software, maxStorageBuffers }: Capabilities,
): boolean {
  const turns = total(widths.slice(1).map((n, l) => n + widths[l]!)) * ((points + 1) / TILE);
  // One dispatch packs what fits into its bindings: two arrays of each layer, and the result.
  return !software && turns <= MOST_TURNS && 2 * widths.length - 1 <= maxStorageBuffers;
}

/** Numbers that a share writes: attributions, then each output at its first two points. */
export const recordLength = ({ widths }: MlpExtents): number => widths[0]! + 2 * widths.at(-1)!;

/** A dense layer: weight [inputs, units], bias [units]. */
export interface MlpLayer {
  readonly weight: Value;
  readonly bias: Value | undefined;
}

/** Weights and biases of all layers, then transposed weights, their last axes padded to multiples of 4: in one buffer. */
export function packMlp(layers: readonly MlpLayer[]): Value {
  const padded = (x: Value): Value => {
    const last = x.shape.at(-1)!;
    const widths = x.shape.map((_, i) => [0, i === x.shape.length - 1 ? 4 * quads(last) - last : 0] as const);
    return reshape(pad(x, widths), [-1]);
  };
  const forward = layers.flatMap(({ weight, bias }) => [padded(weight), padded(bias ?? fill([weight.shape[1]!], 0))]);
  const backward = layers.map(({ weight }) => padded(transpose(weight, [1, 0])));
  return concat([...forward, ...backward], 0);
}

/** vec4s of `theta` that a layer takes: its weights and bias, and the transposed weights. */
const layerQuads = ({ widths }: MlpExtents): (readonly [number, number])[] =>
  widths.slice(1).map((n, l) => [(widths[l]! + 1) * quads(n), n * quads(widths[l]!)]);

function call({ extents, shares, activation, score }: MlpAttrs, each: number, stride: number): KernelCall {
  const { widths, paths, examples, steps } = extents;
  const sizes = layerQuads(extents);
  const before = (numbers: readonly number[], l: number): number => total(numbers.slice(0, l));
  const [up, down] = [0, 1].map((i) => sizes.map((size) => size[i]!)) as [number[], number[]];
  const places = widths.map((n) => 4 * quads(n));
  const table = widths.flatMap((n, l) => [n, before(places, l), before(up, l), total(up) + before(down, l)]);
  const count = paths * examples * shares.count;
  return {
    wgsl: kernelText(shares.alone, activation),
    uniforms: [
      ...[count, examples, widths[0]!, widths.at(-1)!, steps, stride, each, shares.count, shares.points],
      ...[widths.length - 1, total(places) - places[0]!, recordLength(extents), ...table],
      ...Array<number>(4 * MAX_LAYERS + 4 - table.length).fill(0),
    ],
    workgroups: shares.alone ? Math.ceil(count / SIDE) : count,
    constants: {
      LANES: shares.alone ? 1 : 64,
      SIDE: shares.alone ? SIDE : 1,
      // Few sizes, so that networks share pipelines.
      UNITS: shares.alone ? 64 * Math.ceil(unitsOf(extents) / 64) : WORKGROUP_UNITS,
      KEPT: Number(activation.kept),
      SOFTMAX: SCORES.indexOf(score),
    },
    flops: 8 * total(sizes.flat()) * count * (shares.points + 1),
  };
}

/** The file for an activation. */
function kernelText(alone: boolean, { value, slope, helpers }: ActivationText): string {
  const text = Object.entries({ value, slope }).reduce(
    (wgsl, [name, body]) =>
      wgsl.replace(new RegExp(`(fn safe_${name}\\([^)]*\\) ?-> ?\\w+ ?\\{)[^}]*`), (_, head: string) => head + body),
    mlpPathWgsl,
  );
  return [alone ? withoutBarriers(text) : text, ...helpers].join("\n");
}

/** What a workgroup did together is done by each invocation, in memory of its own. */
const withoutBarriers = (text: string): string =>
  text
    .replaceAll("workgroupBarrier();", "")
    .replace("var<workgroup>", "var<private>")
    .replace("@builtin(workgroup_id)", "@builtin(global_invocation_id)");

const mlpPathPrimitive = /* @__PURE__ */ primitive<MlpAttrs>({
  name: "mlpPath",
  aval([theta, x, begin, nodes, weights, chosen], { extents, shares }) {
    const { widths, paths, examples, steps } = extents;
    const expected = [
      [theta!, 4 * total(layerQuads(extents).flat())],
      [x!, examples * widths[0]!],
      [begin!, paths * examples * widths[0]!],
      [weights!, paths * steps],
      [chosen!, examples],
    ] as const;
    const wrong = expected.find(([{ shape }, size]) => numel(shape) !== size);
    if (wrong) refuseShapes("mlpPath", `an operand of ${wrong[1]} elements`, wrong[0]);
    if (nodes!.shape[0] !== paths || nodes!.shape[1]! < steps)
      refuseShapes("mlpPath", `nodes [${paths}, at least ${steps}] or with a number for each example`, nodes!);
    return { shape: [paths, shares.count, examples, recordLength(extents)], dtype: "f32" };
  },
  lowering: {
    kind: "kernel",
    epilogue: false,
    long: true,
    prologues: { 2: "begin", 5: "chosen" },
    call: ({ inputs, attrs }) => call(attrs, inputs[3]!.shape[2] ?? 1, numel(inputs[3]!.shape.slice(1))),
  },
  jvp: /* @__PURE__ */ withoutRule("mlpPath"),
  batch: /* @__PURE__ */ withoutRule("mlpPath"),
});

export interface MlpPathOperands {
  /** See {@link packMlp}. */
  readonly theta: Value;
  /** [B, features] where paths end. */
  readonly x: Value;
  /** [M, B, features] where paths begin. */
  readonly begin: Value;
  /** [M, S or more] or [M, S or more, B], of which the first S count. */
  readonly nodes: Value;
  /** [M, S] */
  readonly weights: Value;
  /** [B] classes as f32; below 0 for the one with the largest output at x. */
  readonly chosen: Value;
}

/**
 * Weighted sums of the gradient of a dense network's score along the straight paths from `begin` to `x`, times x - begin:
 * activation(... activation(x W + b) ...) W + b, its last layer without activation, then the score of a class.
 * @returns [M, shares, B, record]: see {@link recordLength}. Sums of all shares add up to the attributions of a path. The first
 * point of every share is x, the second point of the first share of a path is its beginning. Not differentiable
 * @throws ShapeError if an operand does not have the size that the extents ask for
 */
export const mlpPath = (
  { theta, x, begin, nodes, weights, chosen }: MlpPathOperands,
  attrs: Pick<MlpAttrs, "extents" | "shares" | "activation" | "score">,
): Value => apply(mlpPathPrimitive, [theta, x, begin, nodes, weights, chosen], attrs);
