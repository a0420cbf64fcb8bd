import * as tf from "@tensorflow/tfjs-core";
import type { ConvTask, Run } from "../task.ts";
import { channelsFirst, channelsLast, filterOf, read, upload } from "./tfjs-net.ts";

/** Operands lie in TF.js's own layout before the call; only the result changes its layout, to be compared. */
export function conv({ role, x, w, y, stride, padding }: ConvTask): Run {
  const [input, filter] = [channelsLast(upload(x)), filterOf(upload(w))];
  const forward = (z: tf.Tensor, f: tf.Tensor): tf.Tensor => tf.conv2d(z, f, stride, padding);
  if (role === "forward") return () => read(() => channelsFirst(forward(input, filter)));
  const cotangent = channelsLast(upload(y));
  if (role === "input-gradient") {
    const back = tf.grad((z) => forward(z, filter));
    return () => read(() => channelsFirst(back(input, cotangent)));
  }
  const back = tf.grad((f) => forward(input, f));
  return () => read(() => tf.transpose(back(filter, cotangent), [3, 2, 0, 1]));
}
