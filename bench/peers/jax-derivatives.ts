import { grad, jit, jvp, type Array } from "@jax-js/jax";
import type { GradientTask, HessianProductTask, Net, Run } from "../task.ts";
import { applyNet, parameters, upload } from "./jax-net.ts";

/** Sum of all squared outputs at x [B, ...input]. */
const scoreOf =
  (net: Net, weights: readonly Array[]) =>
  (x: Array): Array => {
    const y = applyNet(
      net,
      x,
      weights.map((w) => w.ref),
    );
    return y.ref.mul(y).sum();
  };

export function gradient({ net, x }: GradientTask): Run {
  const program = jit((x: Array, ...weights: Array[]) => {
    const result = grad(scoreOf(net, weights))(x);
    weights.forEach((w) => w.dispose());
    return result;
  });
  const trained = parameters(net);
  return () => program(upload(x), ...trained.map((w) => w.ref)).data();
}

/** Forward over reverse. */
export function hessianProduct({ net, x, v }: HessianProductTask): Run {
  const program = jit((x: Array, v: Array, ...weights: Array[]) => {
    const [value, product] = jvp(grad(scoreOf(net, weights)), [x], [v]);
    [value, ...weights].forEach((array) => array.dispose());
    return product;
  });
  const trained = parameters(net);
  return () => program(upload(x), upload(v), ...trained.map((w) => w.ref)).data();
}
