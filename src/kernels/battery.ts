// What a test battery entry is: for each operation of a family, the inputs and calls that its tests run. The battery
// (test/battery) derives from them all checks of values, derivatives and batching. Not part of any bundle.
import type { DType } from "../tensor/dtype.ts";
import type { Shape } from "../tensor/shape.ts";
import type { Value } from "../graph/node.ts";

/** Which numbers a test input holds; see `Range` in src/reference/random.ts. */
export interface BatteryInput {
  readonly shape: Shape;
  readonly dtype?: DType;
  readonly low?: number;
  readonly high?: number;
  /** Kinks and singularities: numbers stay at least 0.1 away from them. */
  readonly avoid?: readonly number[];
  /** No ties. */
  readonly distinct?: boolean;
}

export interface BatteryCase {
  readonly inputs: readonly BatteryInput[];
  readonly fn: (...inputs: Value[]) => Value;
  /** Shape of the result, where the case says what it must be. */
  readonly shape?: Shape;
  /** False for results that derivatives take as constants although they vary: only "no derivative" is checked. */
  readonly smooth?: false;
  /** Relative f32 tolerance of the device; default 3e-5. */
  readonly tolerance?: number;
}

/** Cases by name of the public operation. */
export type Battery = Readonly<Record<string, readonly BatteryCase[]>>;

/** Shapes that every operation without structure of its own is tried on: scalar, one element, odd sizes, several axes. */
export const SHAPES: readonly Shape[] = [[], [1], [7], [2, 3, 5]];

/** One case per shape, all inputs alike. */
export const onShapes = (fn: BatteryCase["fn"], range: Omit<BatteryInput, "shape"> = {}, count = 1): BatteryCase[] =>
  SHAPES.map((shape) => ({ inputs: Array.from({ length: count }, () => ({ ...range, shape })), fn, shape }));

/** Two operands of equal shapes and of shapes that broadcast against each other. */
export const onPairs = (
  fn: BatteryCase["fn"],
  left: Omit<BatteryInput, "shape"> = {},
  right: Omit<BatteryInput, "shape"> = left,
): BatteryCase[] =>
  (
    [
      [[], [], []],
      [[1], [1], [1]],
      [
        [3, 5],
        [3, 5],
        [3, 5],
      ],
      [
        [2, 1, 3],
        [5, 1],
        [2, 5, 3],
      ],
      [[], [7], [7]],
      [[4, 3], [3], [4, 3]],
    ] as const
  ).map(([a, b, shape]) => ({
    inputs: [
      { ...left, shape: a },
      { ...right, shape: b },
    ],
    fn,
    shape,
  }));
