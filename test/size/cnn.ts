// Integrated Gradients of a convolutional network.
import { integratedGradients } from "../../src/attribution/index.ts";
import { hostArray, openDevice } from "../../src/index.ts";
import { network } from "./networks/cnn.ts";

const device = await openDevice();
const response = await fetch("weights.bin");
const model = network(device, new Float32Array(await response.arrayBuffer()));
const digit = new Float32Array(784);
const { attributions, delta } = await integratedGradients(model, hostArray(digit, [1, 1, 28, 28]));
document.body.textContent = `${attributions.data.join()} (${delta.data.join()})`;
