// f64 definitions of matrix products and convolutions.
import type { Node } from "../graph/node.ts";
import { numel, type Shape } from "../tensor/shape.ts";
import type { ConvAttrs } from "../kernels/conv-call.ts";
import { convForwardPrimitive, convInputGradPrimitive, convWeightGradPrimitive } from "../kernels/conv.ts";
import { matmulPrimitive } from "../kernels/matmul.ts";
import { element, tabulate, type Array64 } from "./array.ts";
import { define } from "./definition.ts";

/** Coordinates of the matrix of `shape` that belongs to the matrix `lead` of the result: axes of length 1 repeat. */
const matrixAt = (shape: Shape, lead: readonly number[]): number[] =>
  shape.slice(0, -2).map((n, axis) => (n === 1 ? 0 : lead[lead.length - shape.length + 2 + axis]!));

const matmulDefinition = define(matmulPrimitive, ({ shape, attrs: { ta, tb } }, [a, b]) => {
  const depth = a!.shape.at(ta ? -2 : -1)!;
  return tabulate(shape, (at) => {
    const [lead, i, j] = [at.slice(0, -2), at.at(-2)!, at.at(-1)!];
    const [rows, columns] = [matrixAt(a!.shape, lead), matrixAt(b!.shape, lead)];
    let sum = 0;
    for (let k = 0; k < depth; k++) {
      sum += element(a!, [...rows, ...(ta ? [k, i] : [i, k])]) * element(b!, [...columns, ...(tb ? [j, k] : [k, j])]);
    }
    return sum;
  });
});

/** Flat positions, within one plane each, of an input, a weight and an output element that meet in a product. */
type Visit = (x: number, w: number, y: number) => void;

interface ConvDims {
  readonly images: number;
  readonly outputs: number;
  readonly perGroup: number;
  readonly plane: readonly [number, number];
}

/** Every product of a convolution: the same for the forward pass and both of its transposes. */
function visitProducts(
  { input: [H, W], kernel: [kh, kw], stride, padding, dilation, groups }: ConvAttrs,
  d: ConvDims,
  visit: Visit,
): void {
  const [oh, ow] = d.plane;
  for (let n = 0; n < d.images; n++)
    for (let o = 0; o < d.outputs; o++)
      for (let c = 0; c < d.perGroup; c++)
        for (let p = 0; p < kh; p++)
          for (let q = 0; q < kw; q++)
            for (let i = 0; i < oh; i++)
              for (let j = 0; j < ow; j++) {
                const channel = Math.floor(o / (d.outputs / groups)) * d.perGroup + c;
                const row = i * stride[0] - padding[0] + p * dilation[0];
                const column = j * stride[1] - padding[1] + q * dilation[1];
                if (row < 0 || row >= H || column < 0 || column >= W) continue;
                visit(
                  ((n * d.perGroup * groups + channel) * H + row) * W + column,
                  ((o * d.perGroup + c) * kh + p) * kw + q,
                  ((n * d.outputs + o) * oh + i) * ow + j,
                );
              }
}

type Role = "x" | "w" | "y";

/** Plane b of the result reads plane floor(b / repeat) mod count of an operand. */
function convolution(roles: readonly [Role, Role], result: Role) {
  return ({ shape, attrs }: Node<ConvAttrs>, inputs: readonly Array64[]): Float64Array => {
    const inner = {
      [roles[0]]: inputs[0]!.shape.slice(-4),
      [roles[1]]: inputs[1]!.shape.slice(-4),
      [result]: shape.slice(-4),
    } as Record<Role, number[]>;
    const dims: ConvDims = {
      images: inner.x[0]!,
      outputs: inner.w[0]!,
      perGroup: inner.w[1]!,
      plane: [inner.y[2]!, inner.y[3]!],
    };
    const made = new Float64Array(numel(shape));
    const length = { x: numel(inner.x), w: numel(inner.w), y: numel(inner.y) };
    for (let b = 0; b < Math.max(1, attrs.lead); b++) {
      const [first, second] = inputs.map(({ data }, i) => {
        const size = length[roles[i]!];
        const plane = Math.floor(b / attrs.repeat[i]!) % (data.length / size);
        return data.subarray(plane * size, (plane + 1) * size);
      });
      const target = made.subarray(b * length[result], (b + 1) * length[result]);
      visitProducts(attrs, dims, (x, w, y) => {
        const at = { x, w, y };
        target[at[result]]! += first![at[roles[0]]]! * second![at[roles[1]]]!;
      });
    }
    return made;
  };
}

export const contractionDefinitions = [
  matmulDefinition,
  define(convForwardPrimitive, convolution(["x", "w"], "y")),
  define(convInputGradPrimitive, convolution(["y", "w"], "x")),
  define(convWeightGradPrimitive, convolution(["x", "y"], "w")),
];
