// What metrics judge: attributions of a model at an input.
import { ShapeError } from "../../tensor/errors.ts";
import { hostArray, type HostArray } from "../../tensor/host.ts";
import { formatShape, numel, sameShape } from "../../tensor/shape.ts";
import { patchGroups } from "../hessian-rows.ts";
import { assertFinite, isArrayInput } from "../problem.ts";
import { withPlayers, type Game, type GameOptions } from "../shapley-game.ts";
import type { ArrayInput, Input, ModelLike } from "../types.ts";

export interface Explained {
  readonly model: ModelLike;
  /** Examples along the first axis. */
  readonly input: Input;
  /** Shape of the input; a record of them for several inputs. */
  readonly attributions: HostArray | Readonly<Record<string, HostArray>>;
  /** The explained class of every example. Default: the one predicted at the input. */
  readonly targets?: readonly number[] | undefined;
}

export interface PerExample {
  /** One number per example. */
  readonly values: Float64Array;
}

/**
 * Opens the game whose players are removed or kept: groups that are given, else pixels of a picture [B, C, H, W] (all channels
 * of one belong together), else features.
 */
export function withSubject<T>(
  { model, input, targets }: Explained,
  options: GameOptions,
  work: (game: Game) => Promise<T>,
): Promise<T> {
  const groups = options.groups ?? (options.layer === undefined && isArrayInput(input) ? pixels(input) : undefined);
  const target = options.target ?? targets;
  return withPlayers(
    model,
    input,
    { ...options, ...(groups && { groups }), ...(target !== undefined && { target }) },
    work,
  );
}

const pixels = ({ shape }: ArrayInput): Int32Array | undefined =>
  shape.length >= 4 ? patchGroups(shape.slice(1), 1) : undefined;

/**
 * The attributions in the order of the attributed values.
 * @throws ShapeError if one does not have the shape of its value; NumericError if one is not finite
 */
export function attributionArrays({ path: { problem } }: Game, { attributions }: Explained): HostArray[] {
  return problem.ends.map(({ shape }, j) => {
    const name = problem.endNames[j]!;
    const array = isHostArray(attributions) ? attributions : attributions[name];
    if (!array || !sameShape(array.shape, shape)) {
      const given = array ? formatShape(array.shape) : "none";
      throw new ShapeError(`attributions of "${name}": expected ${formatShape(shape)}, got ${given}`);
    }
    assertFinite(`attributions of "${name}"`, array);
    return array;
  });
}

const isHostArray = (a: Explained["attributions"]): a is HostArray => ArrayBuffer.isView(a["data"]);

/** Rows of a [B, ...] array. */
export function rowsOf({ shape, data }: HostArray): Float64Array[] {
  const size = numel(shape.slice(1));
  return Array.from({ length: shape[0] ?? 1 }, (_, b) => Float64Array.from(data.subarray(b * size, (b + 1) * size)));
}

/**
 * Maps of pixels: channels are summed, with their signs.
 * @param attributions [B, C, H, W] or [B, H, W], finite
 * @returns [B, H, W]
 */
export function pixelMaps(attributions: HostArray): HostArray {
  assertFinite("attributions", attributions);
  const { shape } = attributions;
  if (shape.length === 3) return attributions;
  const [batch, channels, height, width] = shape as [number, number, number, number];
  if (shape.length !== 4)
    throw new ShapeError(`attributions: expected pictures [B, C, H, W] or [B, H, W], got ${formatShape(shape)}`);
  const size = height * width;
  const sums = new Float64Array(batch * size);
  attributions.data.forEach((v, i) => (sums[Math.floor(i / (channels * size)) * size + (i % size)]! += v));
  return hostArray(sums, [batch, height, width]);
}
