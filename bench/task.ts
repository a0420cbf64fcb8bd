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
  | { readonly kind: "flatten" };

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

export type Task = MatmulTask | GradientsTask | HessiansTask | IntegratedHessiansTask | ConvTask;
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
