// Integrated Gradients of the network of page "cnn", compiled ahead.
import { loadIntegratedGradients, type SavedGradients } from "../../src/ahead.ts";
import { hostArray, openDevice } from "../../src/index.ts";

const device = await openDevice();
const [explanation, weights] = await Promise.all([fetch("explanation.json"), fetch("weights.bin")]);
const saved = (await explanation.json()) as SavedGradients;
const loaded = loadIntegratedGradients(device, saved, await weights.arrayBuffer());
const digit = new Float32Array(784);
const { attributions, delta } = await loaded.explain(hostArray(digit, [1, 1, 28, 28]));
document.body.textContent = `${attributions.data.join()} (${delta.data.join()})`;
