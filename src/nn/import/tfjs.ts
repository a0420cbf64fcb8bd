// Models of TensorFlow.js, in both of its formats.
export { loadTfjsGraph, type TfjsGraphOptions } from "./tfjs/graph.ts";
export { loadTfjsLayers, type TfjsLayersOptions } from "./tfjs/keras.ts";
export type { TfjsWeights } from "./tfjs/weights.ts";
