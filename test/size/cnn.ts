// Integrated Gradients of a convolutional network written by hand.
import { integratedGradients } from "../../src/attribution/index.ts";
import { add, conv2d, hostArray, matmul, maxPool2d, openDevice, relu, reshape, type Value } from "../../src/index.ts";

const device = await openDevice();
const response = await fetch("weights.bin");
const weights = new Float32Array(await response.arrayBuffer());
const kernel = device.tensor(weights.subarray(0, 72), [8, 1, 3, 3]);
const bias = device.tensor(weights.subarray(72, 80), [8, 1, 1]);
const dense = device.tensor(weights.subarray(80, 80 + 8 * 13 * 13 * 10), [8 * 13 * 13, 10]);
const model = (x: Value): Value => {
  const features = maxPool2d(relu(add(conv2d(x, kernel), bias)), { kernel: 2 });
  return matmul(reshape(features, [1, -1]), dense);
};
const digit = new Float32Array(784);
const { attributions, delta } = await integratedGradients(model, hostArray(digit, [1, 1, 28, 28]));
document.body.textContent = `${attributions.data.join()} (${delta.data.join()})`;
