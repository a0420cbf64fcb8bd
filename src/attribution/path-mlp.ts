// Integrated gradients of small dense networks by one kernel: recognises such networks in what was traced, and builds a
// program for them that takes what the general one takes.
import { cached } from "../tensor/cached.ts";
import { ArgumentError } from "../tensor/errors.ts";
import { hostArray, type HostArray } from "../tensor/host.ts";
import { numel } from "../tensor/shape.ts";
import { jvpGraph } from "../autograd/jvp.ts";
import { base } from "../compiler/regions.ts";
import { capabilitiesOf } from "../compiler/tuning.ts";
import { fill, fillValue, input } from "../graph/leaves.ts";
import { is, type Node } from "../graph/node.ts";
import { dependents, reachable } from "../graph/trace.ts";
import { addPrimitive } from "../kernels/arithmetic.ts";
import { broadcastPrimitive } from "../kernels/broadcast.ts";
import { cast } from "../kernels/choice.ts";
import { matmulPrimitive } from "../kernels/matmul.ts";
import {
  mlpPath,
  recordLength,
  mlpShares,
  packMlp,
  prefersMlpPath,
  type ActivationText,
  type MlpExtents,
  type MlpLayer,
  type MlpScore,
  type MlpShares,
} from "../kernels/mlp-path.ts";
import { reshape, transpose } from "../kernels/movement.ts";
import { endNodesOf, type WholeSize } from "./path-whole.ts";
import type { PathGraph } from "./path-parts.ts";
import type { PathIntegral } from "./path.ts";
import { compiled, type Compiled } from "./programs.ts";
import type { Problem } from "./problem.ts";
import { classScores } from "./score.ts";

/** A dense network: all layers but the last have the same activation, and the score is that of a class. */
interface Mlp {
  readonly layers: readonly MlpLayer[];
  readonly activation: ActivationText;
  readonly score: MlpScore;
  readonly widths: readonly number[];
}

/** Why a network is none, for those who ask for the kernel. */
type Refusal = string;

const known = new WeakMap<Problem, Mlp | Refusal>();

/** The network that was traced, if it is dense. */
export function denseNetwork(problem: Problem): Mlp | Refusal {
  return cached(known, problem, () => recognise(problem));
}

const SCORES = ["logit", "probability", "logProbability"] as const;

function recognise({ inputs, ends, output, score, index, target }: Problem): Mlp | Refusal {
  const [end] = ends;
  if (inputs.length !== 1 || end !== inputs[0] || end!.shape[0] !== target.batch)
    return "it takes one input, whose first axis holds the examples, and attributes to that";
  const kind = SCORES.find((kind) => score === (index ? classScores(output, kind, index) : output));
  const logits = base(output);
  if (!kind || target.kind === "all" || (!index && numel(output.shape) !== target.batch))
    return "it explains one class of each example, or the only output";
  const depends = dependents(reachable([logits]), [end!]);
  const layers: MlpLayer[] = [];
  const activations: ActivationText[] = [];
  for (let at = logits; ;) {
    const layer = denseLayer(at, depends);
    if (layer?.of.shape[0] !== target.batch) return `${at.toString()} is not a dense layer with a row for each example`;
    layers.unshift(layer);
    if (base(layer.of) === end) break;
    const z = preactivation(layer.of, depends);
    const activation = z && activationText(z, layer.of);
    if (!activation) return `${layer.of.toString()} is not an elementwise function of a dense layer`;
    activations.push(activation);
    at = z;
  }
  if (new Set(activations.map((a) => JSON.stringify(a))).size > 1) return "its activations differ";
  const widths = [numel(end.shape) / target.batch, ...layers.map(({ weight }) => weight.shape[1]!)];
  return { layers, activation: activations[0] ?? IDENTITY, score: kind, widths };
}

/** For networks without hidden layers. */
const IDENTITY: ActivationText = { value: "return z;", slope: "return 1.0;", kept: false, helpers: [] };

interface DenseLayer extends MlpLayer {
  /** What the layer is applied to. */
  readonly of: Node;
}

/** x W or x W + b, with W and b that do not depend on the input. */
function denseLayer(node: Node, depends: ReadonlySet<Node>): DenseLayer | undefined {
  const product = is(node, addPrimitive) ? node.inputs.find((x) => depends.has(x)) : node;
  const offset = node === product ? undefined : node.inputs.find((x) => x !== product);
  if (!product || !is(product, matmulPrimitive) || (offset && depends.has(offset))) return undefined;
  const [of, weight] = product.inputs as [Node, Node];
  const { ta, tb } = product.attrs;
  const bias = offset && biasOf(offset, product.shape[1]!);
  if (ta || depends.has(weight) || weight.shape.length !== 2 || of.shape.length !== 2 || bias === null)
    return undefined;
  return { of, weight: tb ? transpose(weight, [1, 0]) : weight, bias };
}

/** What is added to each row, [units]; null if rows differ. */
function biasOf(offset: Node, units: number): Node | null {
  const row = is(offset, broadcastPrimitive) ? offset.inputs[0]! : offset;
  return numel(row.shape) === units ? reshape(row, [units]) : null;
}

/** The nearest result of a dense layer below `node`; undefined if there are several on the way, or none. */
function preactivation(node: Node, depends: ReadonlySet<Node>): Node | undefined {
  const below = new Set<Node>();
  const visit = (at: Node): void => {
    if (denseLayer(at, depends) || at.primitive.lowering.kind !== "elementwise") below.add(at);
    else at.inputs.forEach((x) => depends.has(x) && visit(x));
  };
  visit(node);
  const [only, ...others] = below;
  return only && others.length === 0 && denseLayer(only, depends) ? only : undefined;
}

/** An elementwise function y of z and its derivative, as WGSL. */
function activationText(z: Node, y: Node): ActivationText | undefined {
  const derivative = jvpGraph([y], [z], [fill(z.shape, 1)])[0];
  if (!derivative) return undefined;
  const helpers = new Set<string>();
  const value = body(y, z, helpers);
  const ofResult = body(derivative, y, helpers);
  const slope = ofResult ?? body(derivative, z, helpers);
  return value && slope ? { value, slope, kept: !ofResult, helpers: [...helpers] } : undefined;
}

/** Statements that compute a node from `z`; undefined if more than elementwise functions and numbers are needed. */
function body(node: Node, z: Node, helpers: Set<string>): string | undefined {
  const names = new Map<Node, string | undefined>([[z, "z"]]);
  const lines: string[] = [];
  for (const at of reachable([node], [z])) {
    const { lowering } = at.primitive;
    const value = fillValue(at);
    if (value !== undefined) names.set(at, literal(value, at));
    if (value !== undefined || lowering.kind === "leaf") continue;
    const args = at.inputs.map((x) => names.get(x));
    const params = lowering.kind === "elementwise" && (lowering.params?.(at.attrs) ?? []).map((v) => literal(v));
    if (lowering.kind !== "elementwise" || !params || [...args, ...params].includes(undefined)) continue;
    lowering.helpers?.forEach((h) => helpers.add(h));
    names.set(at, `v${lines.length}`);
    lines.push(`let v${lines.length} = ${lowering.wgsl(args as string[], params as string[], at.attrs)};`);
  }
  const result = names.get(node);
  return result && [...lines, `return ${result};`].join(" ");
}

function literal(value: number, node?: Node): string | undefined {
  if (node?.dtype === "bool") return value === 0 ? "false" : "true";
  const single = Math.fround(value);
  return Number.isFinite(single) && node?.dtype !== "i32" ? `f32(${single})` : undefined;
}

/** What computes a path integral by kernels of its own; undefined leaves it to the usual ones. */
export type PathKernel = (
  path: Pick<PathIntegral, "device" | "shape" | "starting">,
  /** Absent if something else than gradients is integrated. */
  size: WholeSize | undefined,
  /** Whether a program takes no more than one submit may. */
  fits: (made: Compiled<PathGraph>) => boolean,
) => Compiled<PathGraph> | undefined;

export interface WholeNetworkOptions {
  /** Where it fits, whether or not it is expected to be faster; elsewhere an error says why it does not. Default false. */
  readonly always?: boolean;
}

/**
 * The option `kernel` of integrated and expected gradients: forward pass, backward pass and sum over nodes of a small dense
 * network (up to 8 layers with one elementwise activation between them, about 1000 units) by one kernel, with one dispatch
 * that packs the weights. Default: where it is expected to be faster, which is on GPUs; see docs/performance.md.
 * @throws ArgumentError with `always`, when run, if the network, or the number of its units, does not fit
 */
export const wholeNetwork =
  ({ always = false }: WholeNetworkOptions = {}): PathKernel =>
  (path, size, fits) =>
    mlpProgram(path, size, fits, always);

function mlpProgram(
  { device, shape, starting }: Parameters<PathKernel>[0],
  size: WholeSize | undefined,
  fits: (made: Compiled<PathGraph>) => boolean,
  always: boolean,
): Compiled<PathGraph> | undefined {
  const refuse = (why: string): undefined => {
    if (always) throw new ArgumentError(`kernel: wholeNetwork() is for small dense networks; ${why}`);
    return undefined;
  };
  if (!size) return refuse("this method does not integrate gradients");
  const { problem } = shape;
  const network = denseNetwork(problem);
  if (typeof network === "string") return refuse(network);
  if (starting[0] !== problem.ends[0]) return refuse("it starts from values of the input");
  const { widths, activation } = network;
  const extents: MlpExtents = {
    ...{ widths, kept: activation.kept, paths: size.baselines, examples: problem.target.batch, steps: size.steps },
  };
  const capabilities = capabilitiesOf(device);
  const shares = mlpShares(extents, capabilities);
  if (!shares) return refuse(`layers of ${widths.join(", ")} units are too many for its memory`);
  if (!always && !prefersMlpPath(extents, shares, capabilities)) return undefined;
  const key = `mlp ${JSON.stringify(size)}`;
  const made = compiled(problem, device, key, () => mlpGraph(problem, network, extents, shares, size));
  return fits(made) ? made : refuse("all nodes together exceed one submit");
}

function mlpGraph(
  problem: Problem,
  { layers, activation, score }: Mlp,
  extents: MlpExtents,
  shares: MlpShares,
  { perExample, zero, targetGiven }: WholeSize,
): PathGraph {
  const { paths, examples, steps } = extents;
  const { inputs, index } = problem;
  const [x] = inputs as [Node];
  const begin = zero ? fill([paths, ...x.shape], 0) : input([paths, ...x.shape], "f32", "baseline");
  const rows = [paths, steps + endNodesOf(paths).length];
  const nodes = input(perExample ? [...rows, examples] : rows, "f32", "nodes");
  const weights = input([paths, steps], "f32", "weights");
  const given = targetGiven ? index : undefined;
  const chosen = given ? cast(given, "f32") : fill([examples], index ? -1 : 0);
  const operands = { theta: packMlp(layers), x, begin, nodes, weights, chosen };
  return {
    inputs: [
      ...[...inputs, ...(given ? [given] : []), ...(zero ? [] : [begin]), nodes, weights],
      ...(paths > 1 ? [input([paths], "f32", "baseline weights")] : []),
    ],
    outputs: [mlpPath(operands, { extents, shares, activation, score })],
    side: inputs,
    collect: ([records], p, classes) => collect(records!, p, classes, { extents, problem, kind: score }),
  };
}

interface Explained {
  readonly extents: MlpExtents;
  readonly problem: Problem;
  readonly kind: MlpScore;
}

/** From what every share wrote, [M, shares, B, record], to what the outputs of `wholeGraph` hold. */
function collect(
  { data, shape: [paths = 0, shares = 0] }: HostArray,
  p: readonly number[],
  classes: ArrayLike<number> | undefined,
  { extents, problem: { inputs, output, score, index }, kind }: Explained,
): HostArray[] {
  const { widths, examples } = extents;
  const features = widths[0]!;
  const length = recordLength(extents);
  const recordOf = (m: number, share: number, b: number): number => ((m * shares + share) * examples + b) * length;
  const totals = Float32Array.from({ length: examples * features }, (_, i) => {
    const [b, at] = [Math.floor(i / features), i % features];
    let sum = 0;
    for (let m = 0; m < paths; m++)
      for (let share = 0; share < shares; share++) sum += p[m]! * data[recordOf(m, share, b) + at]!;
    return sum;
  });
  /** Outputs of every example at the input (0), or at the beginning of a path (1). */
  const outputsAt = (point: 0 | 1, m = 0): number[][] =>
    Array.from({ length: examples }, (_, b) =>
      Array.from({ length: widths.at(-1)! }, (_, k) => data[recordOf(m, 0, b) + features + 2 * k + point]!),
    );
  const atInput = outputsAt(0);
  const chosen = classes ?? atInput.map((z) => (index ? firstLargest(z) : 0));
  const scores = (rows: readonly number[][]): number[] => rows.map((z, b) => scoreOf(kind, z, chosen[b]!));
  const begins = p.flatMap((_, m) => scores(outputsAt(1, m)));
  const end = scores(atInput);
  return [
    hostArray(totals, inputs[0]!.shape),
    hostArray(atInput.flat(), output.shape),
    // One path has both of its ends among the scores; of several only the beginnings are there.
    ...(paths === 1
      ? [hostArray([...begins, ...end], [1, 2, ...score.shape])]
      : [hostArray(begins, [paths, 1, ...score.shape]), hostArray(end, score.shape)]),
    ...(index && !classes ? [hostArray(chosen, [examples], "i32")] : []),
  ];
}

/** As the kernel finds it. */
const firstLargest = (z: readonly number[]): number => z.reduce((best, v, k) => (v > z[best]! ? k : best), 0);

function scoreOf(kind: MlpScore, z: readonly number[], k: number): number {
  if (kind === "logit") return z[k]!;
  const most = Math.max(...z);
  const log = z[k]! - most - Math.log(z.reduce((sum, v) => sum + Math.exp(v - most), 0));
  return kind === "probability" ? Math.exp(log) : log;
}
