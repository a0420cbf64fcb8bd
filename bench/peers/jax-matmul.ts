import { jit, numpy as np, type Array } from "@jax-js/jax";
import type { MatmulTask, Run } from "../task.ts";
import { upload } from "./jax-net.ts";

export function product(task: MatmulTask): Run {
  const [a, b] = [upload(task.a), upload(task.b)];
  const multiply = jit((a: Array, b: Array) => np.matmul(a, b));
  return () => multiply(a.ref, b.ref).data();
}
