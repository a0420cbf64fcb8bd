// Integrated Gradients of a dense network written by hand.
import { integratedGradients } from "../../src/attribution/index.ts";
import { add, hostArray, matmul, openDevice, relu, type Value } from "../../src/index.ts";

const device = await openDevice();
const response = await fetch("weights.bin");
const weights = new Float32Array(await response.arrayBuffer());
const w1 = device.tensor(weights.subarray(0, 128), [4, 32]);
const b1 = device.tensor(weights.subarray(128, 160));
const w2 = device.tensor(weights.subarray(160, 256), [32, 3]);
const model = (x: Value): Value => matmul(relu(add(matmul(x, w1), b1)), w2);
const { attributions, delta } = await integratedGradients(model, hostArray([5.1, 3.5, 1.4, 0.2], [1, 4]));
document.body.textContent = `${attributions.data.join()} (${delta.data.join()})`;
