// What the live page is given beside its explanations: made by Node, read by the browser.

/** A column of the table. Its slider has the range of the training rows, in whole steps. */
export interface Feature {
  readonly name: string;
  /** (value - mean) / deviation is the network's input. */
  readonly mean: number;
  readonly deviation: number;
  readonly min: number;
  readonly max: number;
  readonly step: number;
  /** Digits after the point that a step needs. */
  readonly decimals: number;
}

/** A held-out row, in the units of the table. */
export interface Case {
  readonly values: readonly number[];
  readonly label: string;
}

export interface PageData {
  readonly features: readonly Feature[];
  readonly cases: readonly Case[];
}

/** The kinds of adapters that there is an explanation for. */
export const KERNELS = ["hardware", "software"] as const;
export type Kernels = (typeof KERNELS)[number];
