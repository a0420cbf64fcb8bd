import * as tf from "@tensorflow/tfjs-core";
import type { GradientTask, HessianProductTask, Net, Run } from "../task.ts";
import { netFunction, read, upload } from "./tfjs-net.ts";

/** Gradient of the sum of all squared outputs. */
function gradientOf(net: Net): (x: tf.Tensor) => tf.Tensor {
  const f = netFunction(net);
  return tf.grad((x) => tf.sum(tf.square(f(x))));
}

export function gradient({ net, x }: GradientTask): Run {
  const derivative = gradientOf(net);
  return () => read(() => derivative(upload(x)));
}

/** The gradient of a gradient's product with v: there is no forward mode. */
export function hessianProduct({ net, x, v }: HessianProductTask): Run {
  const derivative = gradientOf(net);
  return () =>
    read(() => {
      const direction = upload(v);
      return tf.grad((z) => tf.sum(tf.mul(derivative(z), direction)))(upload(x));
    });
}
