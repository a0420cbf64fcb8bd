// The part of other libraries that the benchmarks use, so that the checks of types pass where they are not installed.

declare module "@jax-js/jax" {
  export interface Array {
    /** The same array, counted once more: every function consumes what it is given. */
    readonly ref: Array;
    readonly shape: number[];
    reshape(shape: number[]): Array;
    add(other: Array | number): Array;
    mul(other: Array | number): Array;
    sum(axis?: number | number[] | null): Array;
    transpose(axes?: number[]): Array;
    slice(...index: (number | [])[]): Array;
    greater(other: Array | number): Array;
    greaterEqual(other: Array | number): Array;
    lessEqual(other: Array | number): Array;
    data(): Promise<Float32Array>;
    dispose(): void;
  }
  export namespace numpy {
    type Array = import("@jax-js/jax").Array;
    function array(values: Float32Array): Array;
    function matmul(a: Array, b: Array): Array;
    function max(a: Array, axis: number[]): Array;
    function min(a: Array, axis: number[]): Array;
    function where(condition: Array, a: Array, b: Array | number): Array;
    function mean(a: Array, axis: number[]): Array;
    function split(a: Array, sections: number, axis: number): Array[];
    function stack(arrays: Array[], axis: number): Array;
    function tanh(a: Array): Array;
    function zeros(shape: number[]): Array;
    function eye(rows: number): Array;
  }
  export namespace nn {
    function relu(x: Array): Array;
    function softplus(x: Array): Array;
    function sigmoid(x: Array): Array;
    function softmax(x: Array, axis: number): Array;
    function standardize(x: Array, axis: number, options: { epsilon: number }): Array;
  }
  export namespace lax {
    function convGeneralDilated(x: Array, w: Array, strides: number[], padding: [number, number][]): Array;
  }
  export function init(...devices: "webgpu"[]): Promise<string[]>;
  export function defaultDevice(device: "webgpu"): unknown;
  export function blockUntilReady(arrays: Array[]): Promise<Array[]>;
  export function jit<Args extends unknown[]>(f: (...args: Args) => Array): (...args: Args) => Array;
  export function grad<Args extends unknown[]>(
    f: (x: Array, ...args: Args) => Array,
  ): (x: Array, ...args: Args) => Array;
  export function hessian(f: (x: Array) => Array): (x: Array) => Array;
  export function vmap<Args extends unknown[]>(
    f: (x: Array, ...args: Args) => Array,
    inAxes?: (number | null)[],
  ): (x: Array, ...args: Args) => Array;
  export function jvp(f: (x: Array) => Array, primals: [Array], tangents: [Array]): [Array, Array];
  export function vjp(f: (x: Array) => Array, primals: [Array]): [Array, (cotangent: Array) => [Array]];
}

declare module "@tensorflow/tfjs-backend-webgpu" {}
declare module "@tensorflow/tfjs-core/dist/register_all_gradients.js" {}

declare module "@tensorflow/tfjs-core" {
  export interface Tensor {
    readonly shape: number[];
    data(): Promise<Float32Array>;
    dispose(): void;
  }
  type Four = [number, number, number, number];
  export const version_core: string;
  export function setBackend(name: "webgpu"): Promise<boolean>;
  export function ready(): Promise<void>;
  export function tidy<T>(f: () => T): T;
  export function tensor(values: Float32Array, shape: readonly number[]): Tensor;
  export function grad(f: (x: Tensor) => Tensor): (x: Tensor, dy?: Tensor) => Tensor;
  export function add(a: Tensor, b: Tensor): Tensor;
  export function mul(a: Tensor, b: Tensor): Tensor;
  export function sum(x: Tensor, axis?: number): Tensor;
  export function sub(a: Tensor, b: Tensor): Tensor;
  export function mean(x: Tensor, axis: number[]): Tensor;
  export function moments(x: Tensor, axis: number, keepDims: boolean): { mean: Tensor; variance: Tensor };
  export function rsqrt(x: Tensor): Tensor;
  export function square(x: Tensor): Tensor;
  export function sigmoid(x: Tensor): Tensor;
  export function tanh(x: Tensor): Tensor;
  export function softmax(x: Tensor, axis: number): Tensor;
  export function split(x: Tensor, sections: number, axis: number): Tensor[];
  export function unstack(x: Tensor, axis: number): Tensor[];
  export function zeros(shape: number[]): Tensor;
  export function max(x: Tensor, axis: number): Tensor;
  export function min(x: Tensor, axis: number): Tensor;
  export function tile(x: Tensor, reps: number[]): Tensor;
  export function where(condition: Tensor, a: Tensor, b: Tensor): Tensor;
  export function greater(a: Tensor, b: Tensor): Tensor;
  export function greaterEqual(a: Tensor, b: Tensor): Tensor;
  export function lessEqual(a: Tensor, b: Tensor): Tensor;
  export function matMul(a: Tensor, b: Tensor, transposeA?: boolean, transposeB?: boolean): Tensor;
  export function relu(x: Tensor): Tensor;
  export function softplus(x: Tensor): Tensor;
  export function scalar(value: number): Tensor;
  export function reshape(x: Tensor, shape: number[]): Tensor;
  export function transpose(x: Tensor, axes?: number[]): Tensor;
  export function stack(tensors: Tensor[], axis?: number): Tensor;
  export function maxPool(x: Tensor, size: number, stride: number, padding: number): Tensor;
  export function conv2d(x: Tensor, filter: Tensor, stride: number, padding: number): Tensor;
}
