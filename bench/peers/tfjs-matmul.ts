import * as tf from "@tensorflow/tfjs-core";
import type { MatmulTask, Run } from "../task.ts";
import { read, upload } from "./tfjs-net.ts";

export function product(task: MatmulTask): Run {
  const [a, b] = [upload(task.a), upload(task.b)];
  return () => read(() => tf.matMul(a, b));
}
