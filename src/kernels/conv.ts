// Two-dimensional convolution (cross-correlation, as everywhere in deep learning) and its two transposes.
// With the roles x (input), w (weights), y (output), each primitive computes one role from the other two; transposing it
// in one operand gives the primitive that computes that operand's role. Derivatives of any order stay in this family.
import { ArgumentError, DTypeError, ShapeError } from "../tensor/errors.ts";
import { formatShape, numel, sameShape, type Shape } from "../tensor/shape.ts";
import { fill, fillValue, lift, type Operand } from "../graph/leaves.ts";
import { apply, is, type Node, type Value } from "../graph/node.ts";
import { primitive, type Primitive } from "../graph/primitive.ts";
import { dataCall, inner, weightCall, weightInvocations, type ConvAttrs, type ConvSizes } from "./conv-call.ts";
import { matmul } from "./matmul.ts";
import { broadcastPrimitive, broadcastTo, sum } from "./broadcast.ts";
import { reshape } from "./movement.ts";
import { outputsOf, paddingOf, pairOf, planeOf, type Padding, type Pair } from "./window.ts";

export type { ConvAttrs } from "./conv-call.ts";

export interface ConvOptions {
  /** Default 1. */
  readonly stride?: Pair;
  /** Default 0; see {@link Padding}. */
  readonly padding?: Padding;
  /** Distance of two taps, default 1. */
  readonly dilation?: Pair;
  /** Channels are split into so many groups that do not see each other; default 1. */
  readonly groups?: number;
}

/** Kernel files are written for these operand layouts, each with an optional leading axis of planes. */
const LAYOUT = { x: "[N, C, H, W]", w: "[O, C / groups, kh, kw]", y: "[N, O, oh, ow]" } as const;
type Role = keyof typeof LAYOUT;

/** Extents by role, checked against each other. */
function sizesOf(name: string, roles: readonly [Role, Role], inputs: readonly Node[], attrs: ConvAttrs): ConvSizes {
  const { groups, input, kernel } = attrs;
  const output = outputsOf(name, input, attrs);
  const shapes: Partial<Record<Role, Shape>> = {};
  inputs.forEach((x, i) => {
    if (x.dtype !== "f32") throw new DTypeError(`${name}: expected f32 operands, got ${x.dtype}; use cast()`);
    shapes[roles[i]!] = inner(x.shape);
  });
  const [images = 1] = shapes.x ?? shapes.y ?? [];
  const outChannels = shapes.w?.[0] ?? shapes.y?.[1] ?? 0;
  const inChannels = shapes.w?.[1] ?? (shapes.x?.[1] ?? 0) / groups;
  const expected: Record<Role, Shape> = {
    x: [images, inChannels * groups, ...input],
    w: [outChannels, inChannels, ...kernel],
    y: [images, outChannels, ...output],
  };
  const fits = roles.every((role) => sameShape(shapes[role]!, expected[role]));
  if (!fits || outChannels % groups !== 0 || !Number.isInteger(inChannels)) {
    const given = roles.map((role, i) => `${role} ${formatShape(inputs[i]!.shape)}`).join(" and ");
    const wanted = roles.map((role) => `${role} ${LAYOUT[role]}`).join(" and ");
    throw new ShapeError(
      `${name}: ${given} do not fit each other with input ${formatShape(input)}, kernel ${formatShape(kernel)}, ` +
        `output ${formatShape(output)} and ${groups} groups; expected ${wanted}`,
    );
  }
  const planes = [planesOf(inputs[0]!), planesOf(inputs[1]!)] as const;
  return { images, outChannels: outChannels / groups, inChannels, output, planes };
}

const planesOf = (x: Node): number => (x.shape.length > 4 ? x.shape[0]! : 1);

function shapeOf(role: Role, s: ConvSizes, attrs: ConvAttrs): Shape {
  const { groups, lead, kernel, input } = attrs;
  const shape = {
    x: [s.images, s.inChannels * groups, ...input],
    w: [s.outChannels * groups, s.inChannels, ...kernel],
    y: [s.images, s.outChannels * groups, ...s.output],
  }[role];
  return lead > 0 ? [lead, ...shape] : shape;
}

/** The primitive that computes `result` from the two other roles. */
function convolution(name: string, roles: readonly [Role, Role], result: Role): Primitive<ConvAttrs> {
  return primitive<ConvAttrs>({
    name,
    aval: (inputs, attrs) => ({ shape: shapeOf(result, sizesOf(name, roles, inputs, attrs), attrs), dtype: "f32" }),
    lowering: {
      kind: "kernel",
      long: true,
      call({ inputs, attrs }, capabilities) {
        const sizes = sizesOf(name, roles, inputs, attrs);
        if (result === "w") return weightCall(attrs, sizes, capabilities.software);
        return dataCall(attrs, sizes, result === "x", capabilities);
      },
      expand: (node) => (result === "w" ? undefined : pointwiseProduct(node, result === "x")),
    },
    multilinear: true,
    transpose(ct, node, argument) {
      const { lead, repeat } = node.attrs;
      const operand = node.inputs[argument]!;
      const other = { node: node.inputs[1 - argument]!, repeat: repeat[1 - argument]! };
      const given = { [result]: { node: ct, repeat: 1 }, [roles[1 - argument]!]: other };
      const made = compute(roles[argument]!, given, node.attrs);
      return lead === 0 ? made : sumPlanes(made, operand, lead, repeat[argument]!);
    },
    batch: (inputs, batched, attrs, size) => batchConvolution(roles, result, inputs, batched, attrs, size),
    fold(inputs, attrs) {
      if (!inputs.some((x) => fillValue(x) === 0)) return undefined;
      return fill(shapeOf(result, sizesOf(name, roles, inputs, attrs), attrs), 0);
    },
  });
}

/** A convolution of single pixels, or its transpose in x, as a product of matrices for each image. */
function pointwiseProduct({ inputs: [data, w], attrs, shape }: Node<ConvAttrs>, backward: boolean): Node | undefined {
  const { kernel, stride, padding, groups, lead } = attrs;
  const pointwise = [...kernel, ...stride].every((n) => n === 1) && padding.every((n) => n === 0);
  if (!pointwise || groups > 1 || lead > 0) return undefined;
  const [images, channels, ...plane] = data!.shape as [number, number, ...number[]];
  const weights = reshape(w!, w!.shape.slice(0, 2));
  const pixels = numel(plane);
  const product =
    pixels === 1
      ? matmul(reshape(data!, [images, channels]), weights, { transposeB: !backward })
      : matmul(weights, reshape(data!, [images, channels, pixels]), { transposeA: backward });
  return reshape(product, shape);
}

export const convForwardPrimitive = /* @__PURE__ */ convolution("convForward", ["x", "w"], "y");
export const convInputGradPrimitive = /* @__PURE__ */ convolution("convInputGrad", ["y", "w"], "x");
export const convWeightGradPrimitive = /* @__PURE__ */ convolution("convWeightGrad", ["x", "y"], "w");

interface Planes {
  readonly node: Node;
  readonly repeat: number;
}

/** Computes one role from the two others. */
function compute(result: Role, given: Partial<Record<Role, Planes>>, attrs: ConvAttrs): Node {
  const x = given.x && unbroadcast(given.x);
  const w = given.w && unbroadcast(given.w);
  const y = given.y && unbroadcast(given.y);
  if (result === "w") return weightGrad(x!, y!, attrs);
  const prim = result === "y" ? convForwardPrimitive : convInputGradPrimitive;
  const data = (result === "y" ? x : y)!;
  if (attrs.lead > 0 && planesOf(w!.node) === 1 && planesOf(data.node) === 1)
    return computeOnce(prim, [data.node, w!.node], attrs);
  if (attrs.lead > 0 && planesOf(w!.node) === 1 && planesOf(data.node) === attrs.lead) {
    // One set of weights: the planes are nothing but more images.
    const [, images, ...rest] = data.node.shape;
    const folded = reshape(data.node, [attrs.lead * images!, ...rest]);
    const made = apply(prim, [folded, reshape(w!.node, inner(w!.node.shape))], { ...attrs, lead: 0, repeat: [1, 1] });
    return reshape(made, [attrs.lead, images!, ...made.shape.slice(1)]);
  }
  return apply(prim, [data.node, w!.node], { ...attrs, repeat: [data.repeat, w!.repeat] });
}

/** All planes are the same: one is computed, and read by all. */
function computeOnce(prim: Primitive<ConvAttrs>, operands: readonly Node[], attrs: ConvAttrs): Node {
  const single = operands.map((x) => reshape(x, inner(x.shape)));
  const made = apply(prim, single, { ...attrs, lead: 0, repeat: [1, 1] });
  return broadcastTo(made, [attrs.lead, ...made.shape]);
}

/** Drops a leading axis that only repeats one plane. */
function unbroadcast(planes: Planes): Planes {
  const { node } = planes;
  if (node.shape.length < 5 || !is(node, broadcastPrimitive)) return planes;
  const source = node.inputs[0]!;
  const single = source.shape.length === 4 || (source.shape.length === 5 && source.shape[0] === 1);
  return single && sameShape(inner(source.shape), inner(node.shape)) ? { node: source, repeat: 1 } : planes;
}

/** Few weights and many images leave a GPU idle: partial sums over groups of images are taken, until so many invocations work. */
const ENOUGH_INVOCATIONS = 2048;

function weightGrad(x: Planes, y: Planes, attrs: ConvAttrs): Node {
  const all = { ...attrs, repeat: [x.repeat, y.repeat] as const };
  if (attrs.lead > 0 && planesOf(x.node) === 1 && planesOf(y.node) === 1) {
    return computeOnce(convWeightGradPrimitive, [x.node, y.node], attrs);
  }
  if (attrs.lead > 0) return apply(convWeightGradPrimitive, [x.node, y.node], all);
  const sizes = sizesOf("convWeightGrad", ["x", "y"], [x.node, y.node], attrs);
  const { images } = sizes;
  const wanted = Math.ceil(ENOUGH_INVOCATIONS / weightInvocations(attrs, sizes));
  let parts = Math.min(wanted, images);
  while (images % parts !== 0) parts++;
  if (parts <= 1) return apply(convWeightGradPrimitive, [x.node, y.node], all);
  const split = (node: Node) => reshape(node, [parts, images / parts, ...node.shape.slice(1)]);
  return sum(
    apply(convWeightGradPrimitive, [split(x.node), split(y.node)], { ...attrs, lead: parts, repeat: [1, 1] }),
    0,
  );
}

/** The cotangent of an operand from that of all planes of the result which read it. */
function sumPlanes(made: Node, operand: Node, lead: number, repeat: number): Node {
  const planes = planesOf(operand);
  if (planes === lead) return made;
  const rest = inner(operand.shape);
  const inside = planes === 1 ? lead : repeat;
  const total = sum(reshape(made, [lead / (planes * inside), planes, inside, ...rest]), [0, 2]);
  return reshape(total, operand.shape);
}

function batchConvolution(
  roles: readonly [Role, Role],
  result: Role,
  inputs: readonly Node[],
  batched: readonly boolean[],
  attrs: ConvAttrs,
  size: number,
): Node {
  const before = Math.max(1, attrs.lead);
  const operands = inputs.map((x, i) =>
    batched[i] ? withAxis(x, attrs, i, before, size) : { node: x, repeat: attrs.repeat[i]! },
  );
  const given = { [roles[0]]: operands[0]!, [roles[1]]: operands[1]! };
  const made = compute(result, given, { ...attrs, lead: size * before });
  return attrs.lead > 0 ? reshape(made, [size, attrs.lead, ...made.shape.slice(1)]) : made;
}

/** A newly batched operand with its planes in one axis, batch outermost. */
function withAxis(x: Node, attrs: ConvAttrs, operand: number, before: number, size: number): Planes {
  const rest = inner(x.shape);
  const planes = numel(x.shape) / numel(rest) / size;
  if (planes === 1) return { node: reshape(x, [size, ...rest]), repeat: before };
  const repeat = attrs.repeat[operand]!;
  const outer = before / (planes * repeat);
  if (outer === 1) return { node: reshape(x, [size * planes, ...rest]), repeat };
  const repeated = broadcastTo(reshape(x, [size, 1, planes, ...rest]), [size, outer, planes, ...rest]);
  return { node: reshape(repeated, [size * outer * planes, ...rest]), repeat };
}

function attrsOf(
  op: string,
  input: readonly [number, number],
  kernel: readonly [number, number],
  options: ConvOptions,
): ConvAttrs {
  const stride = pairOf(op, "stride", options.stride ?? 1, 1);
  const dilation = pairOf(op, "dilation", options.dilation ?? 1, 1);
  const groups = options.groups ?? 1;
  if (!Number.isInteger(groups) || groups < 1)
    throw new ArgumentError(`${op}: groups must be a whole number >= 1, got ${groups}`);
  const padding = paddingOf(op, options.padding ?? 0, input, { kernel, stride, dilation });
  return { stride, padding, dilation, groups, input, kernel, lead: 0, repeat: [1, 1] };
}

/** Checks the rank of weights and gives kernel height and width. */
function kernelOf(op: string, w: Node): [number, number] {
  if (w.shape.length !== 4) throw new ShapeError(`${op}: expected weights ${LAYOUT.w}, got ${formatShape(w.shape)}`);
  return planeOf(op, w.shape, 4);
}

/**
 * Convolution: out[n, o, i, j] = sum over c, p, q of w[o, c, p, q] x[n, c, i stride - top + p dilation, j stride - left + q dilation].
 * @param x [N, C, H, W] or with more leading axes, which are kept
 * @param w [O, C / groups, kh, kw]
 * @returns [..., N, O, oh, ow] with oh = floor((H + top + bottom - (kh - 1) dilation - 1) / stride) + 1, likewise ow
 * @throws ShapeError when x, w and groups do not fit each other, or the kernel is larger than the padded input
 * @throws DTypeError unless both are f32
 * @throws ArgumentError for a stride, dilation, padding or groups that is not a whole number in its range
 */
export function conv2d(x: Operand, w: Operand, options: ConvOptions = {}): Value {
  const [node, weights] = [lift(x), lift(w)];
  const kernel = kernelOf("conv2d", weights);
  const input = planeOf("conv2d", node.shape, 4);
  const attrs = attrsOf("conv2d", input, kernel, options);
  const { groups } = attrs;
  const [O, perGroup] = weights.shape as [number, number];
  if (node.shape[node.shape.length - 3] !== perGroup * groups || O % groups !== 0) {
    throw new ShapeError(
      `conv2d: x ${formatShape(node.shape)} and w ${formatShape(weights.shape)} do not fit with ${groups} groups: ` +
        `expected x ${LAYOUT.x} and w ${LAYOUT.w}, O divisible by the groups`,
    );
  }
  const lead = node.shape.slice(0, -3);
  const images = reshape(node, [numel(lead), ...node.shape.slice(-3)]);
  if (groups === 1 && sameShape(kernel, input) && attrs.padding.every((n) => n === 0)) {
    // The kernel covers the input: a dense layer, for which matmul has the better kernels.
    const flat = matmul(reshape(images, [numel(lead), -1]), reshape(weights, [O, -1]), { transposeB: true });
    return reshape(flat, [...lead, O, 1, 1]);
  }
  const made = apply(convForwardPrimitive, [images, weights], attrs);
  return reshape(made, [...lead, ...made.shape.slice(1)]);
}

/**
 * Transpose of {@link conv2d} in x: the cotangent of x; also known as transposed convolution.
 * @param ct cotangent of the output, [N, O, oh, ow]
 * @param w [O, C / groups, kh, kw]
 * @param options those of the convolution, and `input`: [H, W] of x
 * @returns [N, C, H, W]
 * @throws ShapeError, DTypeError, ArgumentError as {@link conv2d}
 */
export function convInputGrad(
  ct: Operand,
  w: Operand,
  options: ConvOptions & { input: readonly [number, number] },
): Value {
  const [y, weights] = [lift(ct), lift(w)];
  planeOf("convInputGrad", y.shape, 4);
  const input = pairOf("convInputGrad", "input", options.input, 1);
  const attrs = attrsOf("convInputGrad", input, kernelOf("convInputGrad", weights), options);
  return apply(convInputGradPrimitive, [y, weights], attrs);
}

/**
 * Transpose of {@link conv2d} in w: the cotangent of the weights, summed over the images.
 * @param x [N, C, H, W]
 * @param ct cotangent of the output, [N, O, oh, ow]
 * @param options those of the convolution, and `kernel`: [kh, kw]
 * @returns [O, C / groups, kh, kw]
 * @throws ShapeError, DTypeError, ArgumentError as {@link conv2d}
 */
export function convWeightGrad(
  x: Operand,
  ct: Operand,
  options: ConvOptions & { kernel: readonly [number, number] },
): Value {
  const [node, y] = [lift(x), lift(ct)];
  const kernel = pairOf("convWeightGrad", "kernel", options.kernel, 1);
  const attrs = attrsOf("convWeightGrad", planeOf("convWeightGrad", node.shape, 4), kernel, options);
  sizesOf("convWeightGrad", ["x", "y"], [node, y], attrs);
  return weightGrad({ node, repeat: 1 }, { node: y, repeat: 1 }, attrs);
}
