// Integrated Gradients of the network of page "mlp", compiled ahead.
import { loadAttributions, type SavedExplanation } from "../../src/ahead.ts";
import { hostArray, openDevice } from "../../src/index.ts";

const device = await openDevice();
const [explanation, weights] = await Promise.all([fetch("explanation.json"), fetch("weights.bin")]);
const loaded = loadAttributions(device, (await explanation.json()) as SavedExplanation, await weights.arrayBuffer());
const { attributions, delta } = await loaded.explain(hostArray([5.1, 3.5, 1.4, 0.2], [1, 4]));
document.body.textContent = `${attributions.data.join()} (${delta.data.join()})`;
