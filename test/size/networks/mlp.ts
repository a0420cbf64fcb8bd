// A dense network written by hand, 4-32-3.
import { add, matmul, relu, type Device, type Value } from "../../../src/index.ts";

export const shape = [1, 4];
export const weightCount: number = 256;

export function network(device: Device, weights: Float32Array): (x: Value) => Value {
  const w1 = device.tensor(weights.subarray(0, 128), [4, 32]);
  const b1 = device.tensor(weights.subarray(128, 160));
  const w2 = device.tensor(weights.subarray(160, 256), [32, 3]);
  return (x) => matmul(relu(add(matmul(x, w1), b1)), w2);
}
