// Whether explanations are any good: sanity checks and metrics.
export {
  parameterLayers,
  randomised,
  truncatedNormal,
  type ParameterLayer,
  type RandomiseOptions,
} from "./randomise.ts";
export {
  dataRandomisation,
  permutedLabels,
  trainClassifier,
  type DataRandomisationOptions,
  type DataRandomisationResult,
  type LabelledExamples,
  type TrainedClassifier,
  type TrainingOptions,
} from "./sanity-data.ts";
export {
  pictureSimilarities,
  rankSimilarities,
  sanityCheck,
  type CheckedMethod,
  type ComparisonOptions,
  type Curve,
  type SanityOptions,
  type SanityResult,
  type Similarity,
} from "./sanity.ts";
export { hog, hogSimilarity, pearson, ranks, spearman, ssim, type HogOptions, type SsimOptions } from "./similarity.ts";
export {
  evaluate,
  type Evaluation,
  type EvaluationData,
  type Explainer,
  type ExplainerOptions,
  type Judgement,
  type Metric,
  type Subject,
} from "./evaluate.ts";
export {
  completeness,
  infidelity,
  sensitivityN,
  type Completeness,
  type InfidelityOptions,
  type SensitivityN,
  type SensitivityNOptions,
} from "./faithfulness.ts";
export { informationCurve, type Compressor, type InformationCurve, type InformationOptions } from "./information.ts";
export {
  boxRegions,
  boxShare,
  gini,
  localisationAUC,
  pointingGame,
  type Box,
  type RegionOptions,
} from "./localisation.ts";
export {
  ablation,
  deletion,
  insertion,
  type AblationOptions,
  type RemovalCurve,
  type RemovalOptions,
} from "./removal.ts";
export { maxSensitivity, type Explainable, type MaxSensitivityOptions } from "./stability.ts";
export type { Explained, PerExample } from "./subject.ts";
