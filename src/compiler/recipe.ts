// What a device needs to run a program: plain data, which outlives graph and compiler.
import type { DType } from "../tensor/dtype.ts";
import type { Shape } from "../tensor/shape.ts";

export interface ArraySpec {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** The number of a buffer, or the words of a block of uniform values. */
export type Source = number | readonly number[];

/** One kernel, what it binds, and how often it runs. */
export interface Launch {
  /** Its place among the recipe's kernels. */
  readonly kernel: number;
  readonly workgroups: number;
  readonly bindings: readonly (readonly [binding: number, source: Source])[];
  /** The same, with the same sources, by a kernel that builds sooner and runs slower. */
  readonly quick?: Launch;
  /** Of a quick one: see {@link KernelCall}. */
  readonly upTo?: number;
}

export interface Dispatch extends Launch {
  readonly label: string;
  readonly flops: number;
}

/** Buffers are numbered in this order: inputs, constants, scratch, outputs. */
export interface Recipe {
  /** WGSL texts. */
  readonly kernels: readonly string[];
  readonly dispatches: readonly Dispatch[];
  readonly inputs: readonly (ArraySpec & { readonly name: string })[];
  readonly constants: readonly ArraySpec[];
  /** Bytes of each scratch buffer. */
  readonly scratch: readonly number[];
  readonly outputs: readonly ArraySpec[];
  /** What the backward pass reads of the forward pass: its values, or bits packed from them. */
  readonly saved: "values" | "bits";
}
