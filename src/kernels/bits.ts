// Small whole numbers, several to a word: what a backward pass keeps of a forward pass where memory is short. Such nodes are
// made after all derivatives are taken: they have no derivative and no batch rules.
import { numel, type Shape } from "../tensor/shape.ts";
import { iota, withoutRule } from "../graph/leaves.ts";
import { apply, type Node, type Value } from "../graph/node.ts";
import { primitive, type Primitive } from "../graph/primitive.ts";
import { broadcastTo } from "./broadcast.ts";
import { cast } from "./choice.ts";
import { elementwise } from "./elementwise.ts";
import { reshape } from "./movement.ts";
import type { PoolAttrs } from "./pool.ts";
import { sliceAxis } from "./slice.ts";
import pack_bits from "./wgsl/pack_bits.wgsl";

/** Bits of a field: 1, 2, 4 or 8. */
type Field = { readonly bits: number };

/** Four words are written and read at a time. */
const wordsFor = (count: number, bits: number): number => 4 * Math.ceil((count * bits) / 128);

/** x f32 [...], whole numbers from 0 to 2^bits - 1 -> i32 [words]: element w + k words is field k of word w. */
const packBits: Primitive<Field> = /* @__PURE__ */ primitive<Field>({
  name: "packBits",
  aval: ([x], { bits }) => ({ shape: [wordsFor(numel(x!.shape), bits)], dtype: "i32" }),
  lowering: {
    kind: "kernel",
    prologues: { 0: "x" },
    epilogue: false,
    call({ inputs: [x], shape: [words], attrs: { bits } }) {
      const count = numel(x!.shape);
      const of = (lanes: number) => ({
        wgsl: pack_bits,
        constants: { BITS: bits, ...(lanes > 1 && { LANES: lanes, Lane: "vec4<f32>" }) },
        uniforms: [words!, count],
        workgroups: Math.ceil(words! / (64 * lanes)),
        flops: count,
      });
      return { ...of(1), wide: of(4) };
    },
  },
  batch: /* @__PURE__ */ withoutRule("packBits"),
});

/** Words and the number of a field in each, both i32 -> the field, i32. */
const field = /* @__PURE__ */ elementwise<Field>("field", {
  operand: "i32",
  wgsl: ([word, at], _, { bits }) => `i32(extractBits(bitcast<u32>(${word}), u32(${at}) * ${bits}u, ${bits}u))`,
});

/** The first `count` fields, in order. */
function unpacked(words: Node, bits: number, shape: Shape): Value {
  const all = [32 / bits, words.shape[0]!];
  const numbers = broadcastTo(reshape(iota(all[0]!), [all[0]!, 1]), all);
  const fields = reshape(apply(field, [broadcastTo(words, all), numbers], { bits }), [-1]);
  return reshape(sliceAxis(fields, 0, 0, numel(shape)), shape);
}

// ---- positions in windows ------------------------------------------------------------------------------------------

/** Plane width; distance of two windows, padding and distance of two taps down and to the right; taps in a row. */
const geometry = ({ input: [, width], stride, padding, dilation, kernel }: PoolAttrs): number[] => [
  ...[width, ...stride, padding[0], padding[1]],
  ...[dilation[0] * width, dilation[1], kernel[1]],
];

const windowed = (
  name: string,
  result: "f32" | "i32",
  formula: (value: string, origin: string, row: string, column: string, taps: string) => string,
): Primitive<PoolAttrs> =>
  elementwise<PoolAttrs>(name, {
    operand: "i32",
    result,
    params: geometry,
    wgsl([value, y, x], params) {
      const [width, down, right, top, left, ...rest] = params.map((p) => `i32(${p})`) as [
        ...[string, string, string, string, string],
        ...[string, string, string],
      ];
      const origin = `((${y} * ${down} - ${top}) * ${width} + ${x} * ${right} - ${left})`;
      return formula(value!, origin, ...rest);
    },
  });

/** Position in the plane, row and column of the window -> number of the tap in its window. */
const tapOf = /* @__PURE__ */ windowed("tapOf", "f32", (at, origin, row, column, taps) => {
  const offset = `(${at} - ${origin})`;
  return `f32(${offset} / ${row} * ${taps} + ${offset} % ${row} / ${column})`;
});

/** The inverse of {@link tapOf}. */
const positionOf = /* @__PURE__ */ windowed(
  "positionOf",
  "i32",
  (tap, origin, row, column, taps) => `(${origin} + ${tap} / ${taps} * ${row} + ${tap} % ${taps} * ${column})`,
);

/** Rows and columns of the windows of [..., oh, ow]. */
const windowsOf = (shape: Shape): Node[] => {
  const [height, width] = shape.slice(-2) as [number, number];
  return [reshape(iota(height), [height, 1]), iota(width)].map((x) => broadcastTo(x, shape));
};

// ---- what can be packed --------------------------------------------------------------------------------------------

/** Asked of the record, so that pages without pooling do not hold it. */
const isPositions = (node: Node): node is Node<PoolAttrs> & Node => {
  const { lowering } = node.primitive;
  return lowering.kind === "kernel" && lowering.positions === true;
};

/** Bits of an element of a mask or of the positions of maxima; undefined for values that are not small whole numbers. */
export function bitsOf(node: Node): number | undefined {
  if (node.dtype === "bool") return node.primitive.lowering.kind === "elementwise" ? 1 : undefined;
  if (!isPositions(node)) return undefined;
  const { kernel, dilation, input } = node.attrs;
  // Below a row, an offset tells row and column apart: not where padding lets a window be wider than its plane.
  const clear = (kernel[1] - 1) * dilation[1] < dilation[0] * input[1];
  return clear ? [1, 2, 4, 8].find((bits) => 2 ** bits >= numel(kernel)) : undefined;
}

/** The elements of a node for which {@link bitsOf} is known, as i32 words. */
export function pack(node: Node): Node {
  const x = isPositions(node) ? apply(tapOf, [node, ...windowsOf(node.shape)], node.attrs) : cast(node, "f32");
  return apply(packBits, [x], { bits: bitsOf(node)! });
}

/** The elements of `node`, computed where they are read from the words that {@link pack} made of them. */
export function unpack(words: Node, node: Node): Node {
  const fields = unpacked(words, bitsOf(node)!, node.shape);
  if (!isPositions(node)) return cast(fields, "bool");
  return apply(positionOf, [fields, ...windowsOf(node.shape)], node.attrs);
}

/** Bytes of the words. */
export const packedBytes = (node: Node): number => 4 * wordsFor(numel(node.shape), bitsOf(node)!);
