// Matrix products. The family is closed: each transpose of a product is again a product with other flags.
import { DTypeError, ShapeError } from "../tensor/errors.ts";
import { broadcastShapes, formatShape, numel, type Shape } from "../tensor/shape.ts";
import { foldZero, lift, type Operand } from "../graph/leaves.ts";
import { apply, type Node, type Value } from "../graph/node.ts";
import { primitive, type Primitive } from "../graph/primitive.ts";
import { broadcastTo, sumTo } from "./broadcast.ts";
import { matmulCall, matmulVariants, productKey, type Product } from "./matmul-call.ts";
import { reshape } from "./movement.ts";
import { planesOf } from "./planes.ts";

interface MatmulAttrs extends Readonly<Record<string, unknown>> {
  /** The first operand is stored [K, M]. */
  readonly ta: boolean;
  /** The second operand is stored [N, K]. */
  readonly tb: boolean;
}

interface Dims {
  readonly lead: Shape;
  readonly m: number;
  readonly n: number;
  readonly k: number;
}

function dimsOf([a, b]: readonly Node[], { ta, tb }: MatmulAttrs): Dims {
  const [as, bs] = [a!.shape.slice(-2), b!.shape.slice(-2)];
  const [m, ka] = ta ? [as[1], as[0]] : as;
  const [kb, n] = tb ? [bs[1], bs[0]] : bs;
  if (m === undefined || n === undefined || ka === undefined || ka !== kb) {
    const shown = (x: Node, flag: boolean): string => formatShape(x.shape) + (flag ? " transposed" : "");
    throw new ShapeError(`matmul: ${shown(a!, ta)} and ${shown(b!, tb)} do not fit: inner extents ${ka} and ${kb}`);
  }
  return { lead: broadcastShapes("matmul", a!.shape.slice(0, -2), b!.shape.slice(0, -2)), m, n, k: ka };
}

export const matmulPrimitive: Primitive<MatmulAttrs> = /* @__PURE__ */ primitive({
  name: "matmul",
  aval: (inputs, attrs) => {
    for (const x of inputs) {
      if (x.dtype !== "f32") throw new DTypeError(`matmul: expected f32 operands, got ${x.dtype}; use cast()`);
    }
    const { lead, m, n } = dimsOf(inputs, attrs);
    return { shape: [...lead, m, n], dtype: "f32" };
  },
  lowering: {
    kind: "kernel",
    long: true,
    call: (node, capabilities) => matmulCall(productOf(node), capabilities),
    tuning: {
      key: (node) => productKey(productOf(node)),
      variants: (node, capabilities) => matmulVariants(productOf(node), capabilities),
    },
  },
  multilinear: true,
  fold: (inputs, _, shape) => foldZero(inputs, shape),
  // C = A B: dA = dC B^T and dB = A^T dC, each in the layout its operand is stored in.
  transpose(ct, { inputs: [a, b], attrs: { ta, tb } }, argument) {
    const of = (x: Operand, y: Operand, transposeA: boolean, transposeB: boolean): Node =>
      matmul(x, y, { transposeA, transposeB });
    if (argument === 0) return sumTo(ta ? of(b!, ct, tb, true) : of(ct, b!, false, !tb), a!.shape);
    return sumTo(tb ? of(ct, a!, true, ta) : of(a!, ct, !ta, false), b!.shape);
  },
  batch(inputs, batched, { ta, tb }) {
    const rank = Math.max(...inputs.map((x, i) => x.shape.length - (batched[i] ? 1 : 0)));
    const [a, b] = inputs.map((x, i) => {
      if (!batched[i]) return x;
      const missing = Array<number>(rank + 1 - x.shape.length).fill(1);
      return reshape(x, [x.shape[0]!, ...missing, ...x.shape.slice(1)]);
    });
    return matmul(a!, b!, { transposeA: ta, transposeB: tb });
  },
});

function productOf(node: Node<MatmulAttrs>): Product {
  const { lead, m, n, k } = dimsOf(node.inputs, node.attrs);
  const [a, b] = node.inputs.map((x) => planesOf(x.shape.slice(0, -2), lead)!);
  return { ...node.attrs, planes: numel(lead), m, n, k, a: a!, b: b! };
}

export interface MatmulOptions {
  /** The first operand is given as [..., K, M]. */
  readonly transposeA?: boolean;
  /** The second operand is given as [..., N, K]. */
  readonly transposeB?: boolean;
}

/**
 * Matrix product [..., M, K] x [..., K, N] -> [..., M, N]; leading axes broadcast.
 * @throws ShapeError if an operand has fewer than two axes, the inner extents differ or leading axes do not broadcast
 * @throws DTypeError unless both are f32
 */
export function matmul(
  a: Operand,
  b: Operand,
  { transposeA: ta = false, transposeB: tb = false }: MatmulOptions = {},
): Value {
  const [x, y] = [lift(a), lift(b)];
  if (x.shape.length < 2 || y.shape.length < 2) {
    throw new ShapeError(
      `matmul: expected at least two axes, got ${formatShape(x.shape)} and ${formatShape(y.shape)}; use expandDims() on a vector`,
    );
  }
  const { lead, m, n, k } = dimsOf([x, y], { ta, tb });
  // One shared right operand: its leading axes are further rows of one large product.
  if (lead.length > 0 && !ta && numel(y.shape.slice(0, -2)) === 1) {
    const rows = apply(matmulPrimitive, [reshape(x, [numel(lead) * m, k]), reshape(y, y.shape.slice(-2))], { ta, tb });
    return reshape(rows, [...lead, m, n]);
  }
  const whole = [x, y].map((z) =>
    planesOf(z.shape.slice(0, -2), lead) ? z : broadcastTo(z, [...lead, ...z.shape.slice(-2)]),
  );
  return apply(matmulPrimitive, whole, { ta, tb });
}
