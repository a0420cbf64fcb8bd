// Integrated Gradients of a dense network.
import { integratedGradients } from "../../src/attribution/index.ts";
import { hostArray, openDevice } from "../../src/index.ts";
import { network } from "./networks/mlp.ts";

const device = await openDevice();
const response = await fetch("weights.bin");
const model = network(device, new Float32Array(await response.arrayBuffer()));
const { attributions, delta } = await integratedGradients(model, hostArray([5.1, 3.5, 1.4, 0.2], [1, 4]));
document.body.textContent = `${attributions.data.join()} (${delta.data.join()})`;
