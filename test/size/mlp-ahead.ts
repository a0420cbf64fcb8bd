// Integrated Gradients of the network of page "mlp", compiled ahead.
import { loadIntegratedGradients, type SavedGradients } from "../../src/ahead.ts";
import { hostArray, openDevice } from "../../src/index.ts";

const device = await openDevice();
const [explanation, weights] = await Promise.all([fetch("explanation.json"), fetch("weights.bin")]);
const saved = (await explanation.json()) as SavedGradients;
const loaded = loadIntegratedGradients(device, saved, await weights.arrayBuffer());
const { attributions, delta } = await loaded.explain(hostArray([5.1, 3.5, 1.4, 0.2], [1, 4]));
document.body.textContent = `${attributions.data.join()} (${delta.data.join()})`;
