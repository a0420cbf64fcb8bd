// Optimisers as functions from values to values: a training step (forward, backward, update) is one program.
import type { Value } from "../graph/node.ts";
import { add, div, mul, neg, square, sub } from "../kernels/arithmetic.ts";
import { expm1, sqrt } from "../kernels/functions.ts";
import { hostArray, type HostArray } from "../tensor/host.ts";
import { numel, type Shape } from "../tensor/shape.ts";

type Values = Readonly<Record<string, Value>>;

export interface Optimiser {
  /** State before the first step, for parameters of these shapes. */
  init(shapes: Readonly<Record<string, Shape>>): Record<string, HostArray>;
  /** Parameters and state after a step. Gradients have the parameters' names. */
  update(
    parameters: Values,
    gradients: Values,
    state: Values,
  ): { parameters: Record<string, Value>; state: Record<string, Value> };
}

export interface SgdOptions {
  readonly learningRate: number;
  /** Default 0: plain gradient descent. v <- momentum v + g, p <- p - learningRate v. */
  readonly momentum?: number;
}

/** Stochastic gradient descent, with momentum if asked. */
export function sgd({ learningRate, momentum = 0 }: SgdOptions): Optimiser {
  return {
    init: (shapes) => (momentum === 0 ? {} : zerosLike("velocity", shapes)),
    update(parameters, gradients, state) {
      const velocity = mapValues(gradients, (g, name) =>
        momentum === 0 ? g : add(mul(state[`velocity.${name}`]!, momentum), g),
      );
      return {
        parameters: mapValues(parameters, (p, name) => sub(p, mul(velocity[name]!, learningRate))),
        state: momentum === 0 ? {} : named("velocity", velocity),
      };
    },
  };
}

export interface AdamOptions {
  /** Default 1e-3. */
  readonly learningRate?: number;
  /** Default 0.9. */
  readonly beta1?: number;
  /** Default 0.999. */
  readonly beta2?: number;
  /** Default 1e-8. */
  readonly epsilon?: number;
  /** Decoupled from the gradient (AdamW, Loshchilov and Hutter 2019). Default 0. */
  readonly weightDecay?: number;
}

/** Adam with bias correction (Kingma and Ba 2015). */
export function adam(options: AdamOptions = {}): Optimiser {
  const { learningRate = 1e-3, beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0 } = options;
  const decayed = (old: Value, fresh: Value, beta: number): Value => add(mul(old, beta), mul(fresh, 1 - beta));
  return {
    init: (shapes) => ({ ...zerosLike("first", shapes), ...zerosLike("second", shapes), step: hostArray([0], []) }),
    update(parameters, gradients, state) {
      const step = add(state["step"]!, 1);
      // 1 - beta^t, without the cancellation of small t.
      const correction = (beta: number): Value => neg(expm1(mul(step, Math.log(beta))));
      const first = mapValues(gradients, (g, name) => decayed(state[`first.${name}`]!, g, beta1));
      const second = mapValues(gradients, (g, name) => decayed(state[`second.${name}`]!, square(g), beta2));
      const updated = mapValues(parameters, (p, name) => {
        const direction = div(
          div(first[name]!, correction(beta1)),
          add(sqrt(div(second[name]!, correction(beta2))), epsilon),
        );
        return sub(mul(p, 1 - learningRate * weightDecay), mul(direction, learningRate));
      });
      return { parameters: updated, state: { ...named("first", first), ...named("second", second), step } };
    },
  };
}

/** The record with `f` of its values. */
export function mapValues<T, U>(
  record: Readonly<Record<string, T>>,
  f: (value: T, name: string) => U,
): Record<string, U> {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, f(value, name)]));
}

const named = <T>(prefix: string, record: Readonly<Record<string, T>>): Record<string, T> =>
  Object.fromEntries(Object.entries(record).map(([name, value]) => [`${prefix}.${name}`, value]));

const zerosLike = (prefix: string, shapes: Readonly<Record<string, Shape>>): Record<string, HostArray> =>
  named(
    prefix,
    mapValues(shapes, (shape) => hostArray(new Float32Array(numel(shape)), shape)),
  );
