// Layers, training, and models read from files.
export {
  multiHeadAttention,
  transformerEncoderLayer,
  type Affine,
  type AttentionOptions,
  type AttentionWeights,
  type EncoderOptions,
  type EncoderWeights,
  type MaskOptions,
  type Scaling,
} from "./attention.ts";
export * from "./attention-layers.ts";
export * from "./graph.ts";
export * from "./graph-data.ts";
export * from "./graph-layers.ts";
export * from "./initialise.ts";
export * from "./layers.ts";
export * from "./losses.ts";
export { causalMask, lengthMask, maskedMean, maskedSum } from "./masks.ts";
export * from "./model.ts";
export * from "./optimise.ts";
export * from "./random.ts";
export * from "./recurrent.ts";
export * from "./recurrent-layers.ts";
export * from "./sequential.ts";
export {
  smooth,
  smoothGraph,
  type Replaced,
  type Smoothable,
  type Smoothed,
  type Smoothing,
  type SmoothOptions,
} from "./smooth.ts";
export * from "./train.ts";
export { readSafetensors, readSafetensorsMetadata, writeSafetensors } from "./import/safetensors.ts";
export type { SafetensorsDType, SafetensorsEntry } from "./import/safetensors.ts";
export { OpenShapeError, type InputShapes } from "./import/input-shape.ts";
export * from "./import/tfjs.ts";
