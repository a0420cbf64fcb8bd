// The record that says everything about one primitive: shape rule, lowering to WGSL, derivative, transpose, batching.
// Built-in operations and a researcher's own use the very same record; nothing looks primitives up by name.
import type { DType } from "../tensor/dtype.ts";
import type { Shape } from "../tensor/shape.ts";
import type { Index, IndexContext, Piece } from "./index-map.ts";
import type { Node } from "./node.ts";

/** Compile-time parameters of a node. They take part in hash-consing: numbers, strings, booleans, arrays and records only. */
export type Attrs = Readonly<Record<string, unknown>>;

export interface Aval {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** What a device can do, as far as choosing a kernel variant is concerned. */
export interface Capabilities {
  /** CPU rasterisers (SwiftShader, lavapipe): barriers are slow, wide loads and large register tiles win. */
  readonly software: boolean;
  readonly maxStorageBuffers: number;
  /** Whether kernels may use subgroups, and all subgroups are four invocations. */
  readonly quads?: boolean;
  /** What `tune()` found to be the fastest variant of a kernel: its name, by the key of a node. */
  readonly tuned?: ReadonlyMap<string, string>;
}

/** A uniform value of a kernel: a u32, or an f32 wrapped by {@link f32}. */
export type Uniform = number | { readonly f32: number };
export const f32 = (value: number): Uniform => ({ f32: value });

/** A kernel over so few elements takes less time with one at a time than it takes to build the one with four at a time. */
export const QUICK_ELEMENTS = 65536;

/** One dispatch of a hand-written kernel; inputs are bound from binding 1 on, in order, the output after them. */
export interface KernelCall {
  /** Text of the WGSL file. */
  readonly wgsl: string;
  /** Values of the uniform struct at binding 0, in order. */
  readonly uniforms: readonly Uniform[];
  /** Workgroups in all; the program splits them into two dimensions where they exceed the limit. */
  readonly workgroups: number;
  /** Replacements for the file's `const NAME = 1u; // tune` lines and, where they are texts, `alias NAME = f32; // tune`. */
  readonly constants?: Readonly<Record<string, number | string>>;
  /** Floating point operations (a fused multiply-add counts two). */
  readonly flops: number;
  /** What an adapter must be capable of to run it. */
  readonly needs?: "quads";
  /**
   * A kernel that gives the very same result and takes less time to build but more to run: it serves first calls. It may name
   * another one that goes further.
   */
  readonly quick?: KernelCall | undefined;
  /** Of a quick kernel: operations of a program beyond which it takes longer than the better one would take to be built. */
  readonly upTo?: number;
  /** What runs instead if the argument can be loaded four elements at a time (`load_NAME` then returns a `vec4<f32>`). */
  readonly wide?: KernelCall;
}

/** One WGSL expression per element; any chain of these fuses into one generated kernel. */
export interface ElementwiseLowering<A extends Attrs> {
  readonly kind: "elementwise";
  /** The expression, given the operands' and the parameters' names. Operands are already bound to names: use them freely. */
  wgsl(args: readonly string[], params: readonly string[], attrs: A): string;
  /** Run-time f32 parameters (slopes, exponents): they travel in a uniform, so that one pipeline serves all values. */
  params?(attrs: A): readonly number[];
  /** WGSL functions that the expression calls, dependencies first. */
  readonly helpers?: readonly string[];
  /** Rough operations per element: 1 for arithmetic, about 20 for a transcendental function. */
  readonly cost: number;
}

/** Moves elements without computing: says where the element at an output index comes from. Fuses like elementwise. */
export interface ViewLowering<A extends Attrs> {
  readonly kind: "view";
  /** Sources in order; the first whose condition holds gives the element, 0 where none does. */
  pieces(node: Node<A>, at: Index, context: IndexContext): readonly Piece[];
  /** Whether it reads an argument at the very position of its result, and nowhere else. Default false. */
  inPlace?(node: Node<A>, argument: number): boolean;
  /** Whether elements 2 j and 2 j + 1 read the same; `pieces` then adds `context.second` to the position of the first. */
  pairs?(node: Node<A>): boolean;
  /** If it takes neighbouring positions of one axis and all of the others: that axis and the first position. */
  cut?(node: Node<A>): { readonly axis: number; readonly start: number } | undefined;
}

/** A hand-written kernel of its own. */
export interface KernelLowering<A extends Attrs> {
  readonly kind: "kernel";
  call(node: Node<A>, capabilities: Capabilities): KernelCall;
  /** For arguments that the file reads through `fn load_NAME(i: u32)`: their names, so that producers can be fused. */
  readonly prologues?: Readonly<Record<number, string>>;
  /** The same value by several smaller kernels, where one would be slow or inexact. Asked after all derivatives are taken. */
  expand?(node: Node<A>): Node | undefined;
  /** False where the kernel's out-of-order or repeated stores forbid a fused epilogue. Default true. */
  readonly epilogue?: boolean;
  /** True if the results are positions, in their planes, of elements of the windows that the attributes describe. */
  readonly positions?: boolean;
  /** True for kernels whose text takes long to compile: see `rareRoots` in compiler/fuse.ts. */
  readonly long?: boolean;
  /** For nodes that several kernels can compute: what `tune()` measures. */
  readonly tuning?: {
    /** Everything that decides which variant is fastest, as text without line breaks. */
    key(node: Node<A>): string;
    /** The calls to choose from, by name: those worth measuring on this adapter, or all of them. */
    variants(node: Node<A>, capabilities?: Capabilities): Readonly<Record<string, KernelCall>>;
  };
}

/** Bound from outside: inputs, captured tensors, constants. */
export interface LeafLowering {
  readonly kind: "leaf";
}

export type Lowering<A extends Attrs> = ElementwiseLowering<A> | ViewLowering<A> | KernelLowering<A> | LeafLowering;

export type Tangent = Node | null;

export interface PrimitiveSpec<A extends Attrs> {
  readonly name: string;
  /** Shape and dtype of the result; throws ShapeError or ArgumentError that names the operation. */
  aval(inputs: readonly Node[], attrs: A): Aval;
  readonly lowering: Lowering<A>;
  /**
   * Whether the node is linear in every f32 argument separately, the others held fixed (matmul, mul, reshape).
   * Such a primitive needs no `jvp`: its tangent is the sum over arguments of itself with that argument's tangent.
   */
  readonly multilinear?: boolean;
  /** Arguments in which the node is linear jointly (add, concat, the branches of select). */
  readonly jointlyLinear?: readonly number[] | "all";
  /** Where argument 1 holds numbers of rows of a fixed table: how many there are; Infinity if it is not fixed. */
  rows?(node: Node<A>): number;
  /** Whether the derivative jumps somewhere (rectifiers, maxima, comparisons): decides default quadrature rules. */
  readonly kink?: boolean;
  /** Tangent of the result. An absent tangent is null, never zeros; at least one is present. */
  jvp?(node: Node<A>, tangents: readonly Tangent[]): Tangent;
  /** Cotangent of argument `argument`, in which the node is linear, given the cotangent of the result. */
  transpose?(cotangent: Node, node: Node<A>, argument: number): Node;
  /** The same operation with one more leading axis (of `size`) on the result and on the arguments marked in `batched`. */
  batch(inputs: readonly Node[], batched: readonly boolean[], attrs: A, size: number): Node;
  /** A simpler equal node, if there is one (x + 0, reshape of reshape, ...), given the result's shape. */
  fold?(inputs: readonly Node[], attrs: A, shape: Shape): Node | undefined;
}

export interface Primitive<A extends Attrs = Attrs> extends PrimitiveSpec<A> {
  readonly uid: number;
}

let primitives = 0;

/** Defines a primitive. See docs/custom-ops.md for a walk through the fields. */
export function primitive<A extends Attrs>(spec: PrimitiveSpec<A>): Primitive<A> {
  return { ...spec, uid: primitives++ };
}
