// Blur Integrated Gradients (Xu, Venugopalan, Sundararajan: arXiv 2004.03383): the path from a blurred picture to the sharp
// one, through all scales between.
import { assertPositive } from "../tensor/checks.ts";
import { ShapeError } from "../tensor/errors.ts";
import { hostArray } from "../tensor/host.ts";
import { formatShape } from "../tensor/shape.ts";
import { iota } from "../graph/leaves.ts";
import type { Value } from "../graph/node.ts";
import { add, div, mul, square, sub } from "../kernels/arithmetic.ts";
import { sum } from "../kernels/broadcast.ts";
import { cast } from "../kernels/choice.ts";
import { exp } from "../kernels/functions.ts";
import { matmul } from "../kernels/matmul.ts";
import { expandDims } from "../kernels/movement.ts";
import type { BaselineRecipe } from "./baselines.ts";
import { curvePath, type Curve, type CurvePathOptions } from "./curve-path.ts";
import type { Attribution, Input, ModelLike } from "./types.ts";

export interface BlurPathOptions extends Omit<CurvePathOptions, "curve" | "baseline" | "baselineOf"> {
  /** Standard deviation of the blur at the beginning, in pixels, > 0. Default 50. */
  readonly maxSigma?: number;
}

/** Added to variances: the blur of the sharp picture, of width 0, is the picture. */
const LEAST = 1e-6;
/** Where the sum of all weights is cut off, in standard deviations. */
const REACH = 4;

/**
 * Path integral over the scale: pictures [..., H, W] are convolved with a Gaussian whose standard deviation falls from
 * `maxSigma` to 0 in proportion to 1 - alpha, with black (0) around the picture. No baseline has to be chosen, and the
 * path adds no colours that the picture does not have. Options and result are those of `curvePath`; default 100 steps.
 * @throws as `curvePath`; ArgumentError for maxSigma, ShapeError for inputs that are not pictures
 */
export async function blurPath<I extends Input>(
  model: ModelLike,
  input: I,
  options: BlurPathOptions = {},
): Promise<Attribution<I>> {
  const { maxSigma = 50, steps = 100, ...rest } = options;
  assertPositive("maxSigma", maxSigma);
  return curvePath(model, input, { ...rest, steps, curve: blurCurve(maxSigma), baseline: blurred(maxSigma) });
}

const blurCurve =
  (maxSigma: number): Curve =>
  ({ input, alpha }) => {
    const variance = add(square(mul(sub(1, alpha), maxSigma)), LEAST);
    const [height, width] = input.shape.slice(-2) as [number, number];
    const rows = matmul(weights(height, variance, maxSigma), input);
    return matmul(rows, weights(width, variance, maxSigma));
  };

/** Gaussian weights [n, n] of pixels for pixels, symmetric. */
function weights(n: number, variance: Value, maxSigma: number): Value {
  const bell = (distance: Value): Value => exp(div(square(distance), mul(variance, -2)));
  const places = cast(iota(n), "f32");
  const reach = Math.ceil(REACH * maxSigma);
  const all = sum(bell(sub(cast(iota(2 * reach + 1), "f32"), reach)));
  return div(bell(sub(expandDims(places, 1), places)), all);
}

/** The same on the host, in double precision: where the path begins. */
const blurred =
  (sigma: number): BaselineRecipe =>
  (input, name) => {
    const { shape } = input;
    if (shape.length < 3)
      throw new ShapeError(`input "${name}": expected pictures [batch, ..., H, W], got ${formatShape(shape)}`);
    const [height, width] = shape.slice(-2) as [number, number];
    const bell = (d: number): number => Math.exp(-(d * d) / (2 * (sigma * sigma + LEAST)));
    const reach = Math.ceil(REACH * sigma);
    const all = Array.from({ length: 2 * reach + 1 }, (_, k) => bell(k - reach)).reduce((a, b) => a + b, 0);
    /** Along one axis: `stride` apart, `n` in a line. */
    const along = (data: ArrayLike<number>, n: number, stride: number): Float64Array =>
      Float64Array.from(data, (_, i) => {
        const at = Math.floor(i / stride) % n;
        let total = 0;
        for (let j = 0; j < n; j++) total += bell(at - j) * data[i + (j - at) * stride]!;
        return total / all;
      });
    return hostArray(Float32Array.from(along(along(input.data, width, 1), height, width)), shape);
  };
