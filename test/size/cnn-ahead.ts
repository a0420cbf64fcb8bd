// Integrated Gradients of the network of page "cnn", compiled ahead.
import { loadAttributions, type SavedExplanation } from "../../src/ahead.ts";
import { hostArray, openDevice } from "../../src/index.ts";

const device = await openDevice();
const [explanation, weights] = await Promise.all([fetch("explanation.json"), fetch("weights.bin")]);
const loaded = loadAttributions(device, (await explanation.json()) as SavedExplanation, await weights.arrayBuffer());
const digit = new Float32Array(784);
const { attributions, delta } = await loaded.explain(hostArray(digit, [1, 1, 28, 28]));
document.body.textContent = `${attributions.data.join()} (${delta.data.join()})`;
