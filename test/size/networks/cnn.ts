// A convolutional network written by hand: 8 filters of 3x3, a maximum over 2x2, a dense layer.
import { add, conv2d, matmul, maxPool2d, relu, reshape, type Device, type Value } from "../../../src/index.ts";

export const shape = [1, 1, 28, 28];
export const weightCount = 80 + 8 * 13 * 13 * 10;

export function network(device: Device, weights: Float32Array): (x: Value) => Value {
  const kernel = device.tensor(weights.subarray(0, 72), [8, 1, 3, 3]);
  const bias = device.tensor(weights.subarray(72, 80), [8, 1, 1]);
  const dense = device.tensor(weights.subarray(80), [8 * 13 * 13, 10]);
  return (x) => {
    const features = maxPool2d(relu(add(conv2d(x, kernel), bias)), { kernel: 2 });
    return matmul(reshape(features, [1, -1]), dense);
  };
}
