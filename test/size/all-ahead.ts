// Everything that can be compiled ahead, of the network of page "cnn": every method, and every way to look at results.
import * as ahead from "../../src/ahead.ts";
import { hostArray, openDevice } from "../../src/index.ts";
import * as view from "../../src/view/index.ts";

const device = await openDevice();
const [explanations, weights] = await Promise.all([fetch("explanations.json"), fetch("weights.bin")]);
const joined = (await explanations.json()) as ahead.JoinedExplanations;
const files = ahead.splitExplanations(joined, await weights.arrayBuffer());
const loads = {
  integrated: ahead.loadAttributions,
  guided: ahead.loadAttributions,
  interior: ahead.loadInteriorGradients,
  shapley: ahead.loadShapleyIG,
  competition: ahead.loadCgi,
  interactions: ahead.loadHessians,
};
const digit = hostArray(new Float32Array(784), [1, 1, 28, 28]);
for (const [name, load] of Object.entries(loads)) {
  const { explanation, weights } = files[name]!;
  using loaded = load(device, explanation, weights);
  console.log(name, await loaded.explain(digit));
}
console.log(ahead, view);
