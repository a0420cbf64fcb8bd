// What a workload computes, in terms that any library understands: plain arrays and layers.
import type { HessianQuadrature } from "../src/attribution/hessian-rules.ts";
import type { HostArray, Shape } from "../src/tensor/index.ts";

/** One layer; pictures are [N, C, H, W]. */
export type Layer =
  | { readonly kind: "dense"; /** [out, in] */ readonly weight: HostArray; readonly bias: HostArray }
  | {
      readonly kind: "conv";
      /** [out, in, kh, kw] */
      readonly weight: HostArray;
      readonly bias: HostArray;
      readonly stride: number;
      readonly padding: number;
    }
  | { readonly kind: "relu" }
  /** log(1 + exp(beta x)) / beta */
  | { readonly kind: "softplus"; readonly beta: number }
  /** Windows of size x size that do not overlap. */
  | { readonly kind: "max-pool"; readonly size: number }
  | { readonly kind: "flatten" }
  /** Mean over height and width. */
  | { readonly kind: "global-average" }
  /** body(x) + shortcut(x); a shortcut without layers is x itself. */
  | { readonly kind: "residual"; readonly body: readonly Layer[]; readonly shortcut: readonly Layer[] }
  /** All hidden states [B, T, H] of sequences [B, T, I], from states of zero; gates in the order i, f, g, o. */
  | {
      readonly kind: "lstm";
      /** [4 H, I] */
      readonly input: HostArray;
      /** [4 H, H] */
      readonly recurrent: HostArray;
      /** [4 H] */
      readonly bias: HostArray;
    }
  /** [B, T, H] -> [B, H] */
  | { readonly kind: "last-step" };

export interface Net {
  /** Shape of one example. */
  readonly input: Shape;
  readonly layers: readonly Layer[];
}

/** a [m, k] times b [k, n]. */
export interface MatmulTask {
  readonly kind: "matmul";
  readonly a: HostArray;
  readonly b: HostArray;
}

/** x times the weighted sum of the gradients of one output at nodes * x: Integrated Gradients from the zero baseline. */
export interface GradientsTask {
  readonly kind: "integrated-gradients";
  readonly net: Net;
  /** [1, ...input] */
  readonly x: HostArray;
  readonly target: number;
  readonly nodes: readonly number[];
  readonly weights: readonly number[];
}

/** Hessians [P, N, N] of one output at the points [P, N]. */
export interface HessiansTask {
  readonly kind: "hessians";
  readonly net: Net;
  readonly points: HostArray;
  readonly target: number;
}

/** Integrated Hessians [N, N] of one output from the zero baseline, by the given nodes and weights. */
export interface IntegratedHessiansTask {
  readonly kind: "integrated-hessians";
  readonly net: Net;
  /** [1, N] */
  readonly x: HostArray;
  readonly target: number;
  readonly rule: HessianQuadrature;
}

/** One of the three tensors of a convolution from the other two. */
export interface ConvTask {
  readonly kind: "conv";
  readonly role: "forward" | "input-gradient" | "weight-gradient";
  /** [N, C, H, W] */
  readonly x: HostArray;
  /** [O, C, kh, kw] */
  readonly w: HostArray;
  /** Cotangent of the output [N, O, oh, ow]. */
  readonly y: HostArray;
  readonly stride: number;
  readonly padding: number;
}

/** Gradient [B, ...input] of the sum of all squared outputs. */
export interface GradientTask {
  readonly kind: "gradient";
  readonly net: Net;
  /** [B, ...input] */
  readonly x: HostArray;
}

/** The Hessian of the sum of all squared outputs, times v [B, ...input]. */
export interface HessianProductTask {
  readonly kind: "hessian-product";
  readonly net: Net;
  readonly x: HostArray;
  readonly v: HostArray;
}

/** A function of each row of x [M, N], or its vector-Jacobian product with y. */
export interface RowsTask {
  readonly kind: "rows";
  readonly operation: "softmax" | "layer-norm";
  readonly role: "forward" | "gradient";
  readonly x: HostArray;
  /** Cotangent of the output [M, N]. */
  readonly y: HostArray;
  /** Of the layer norm, [N]. */
  readonly scale: HostArray;
  readonly offset: HostArray;
  /** Added to the variance. */
  readonly epsilon: number;
}

/** Integrated Gradients of one output, averaged over the baselines masks * x. */
export interface ShapleyTask {
  readonly kind: "shapley";
  readonly net: Net;
  /** [1, N] */
  readonly x: HostArray;
  readonly target: number;
  /** One row of zeros and ones a baseline, [C, N]. */
  readonly masks: HostArray;
  /** Of the baselines, [C]. */
  readonly shares: readonly number[];
  /** Of the path from each baseline to x. */
  readonly nodes: readonly number[];
  readonly weights: readonly number[];
}

/** x times the gradient of one output, zero where that of another output is further up (or down, if it is negative). */
export interface CompetitionTask {
  readonly kind: "competition";
  readonly net: Net;
  /** [1, ...input] */
  readonly x: HostArray;
  readonly target: number;
  readonly classes: number;
}

/** Guided Integrated Gradients of one output from the zero baseline. */
export interface GuidedTask {
  readonly kind: "guided";
  readonly net: Net;
  /** [B, N] */
  readonly x: HostArray;
  readonly target: number;
  readonly steps: number;
  readonly fraction: number;
  readonly maxDist: number;
}

export type Task =
  | MatmulTask
  | GradientsTask
  | HessiansTask
  | IntegratedHessiansTask
  | ConvTask
  | GradientTask
  | HessianProductTask
  | RowsTask
  | ShapleyTask
  | CompetitionTask
  | GuidedTask;
export type TaskOf<Kind extends Task["kind"]> = Extract<Task, { readonly kind: Kind }>;

/** One measured call: computes, and waits for the whole result on the host. */
export type Run = () => Promise<ArrayLike<number>>;

/**
 * Programs of a peer by the kind of task. Each uploads what does not change from call to call, and returns the call.
 */
export type Programs = { readonly [Kind in Task["kind"]]?: (task: TaskOf<Kind>) => Run };

/** Another library. Each lives in a bundle of its own, loaded by the page. */
export interface Peer {
  readonly name: string;
  readonly version: string;
  /** Starts its WebGPU backend; throws if there is none. */
  open(): Promise<void>;
  readonly programs: Programs;
}
