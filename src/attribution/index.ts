export { betaSweep, type BetaSweepOptions, type BetaSweepPoint } from "./beta-sweep.ts";
export {
  blur,
  constantBaseline,
  gaussianNoise,
  maximumOf,
  meanOf,
  minimumOf,
  sampleOf,
  uniformNoise,
  type Baseline,
  type BaselineRecipe,
  type SingleBaseline,
  type WeightedBaseline,
} from "./baselines.ts";
export { expectedGradients, type Draws, type ExpectedGradientsOptions } from "./expected-gradients.ts";
export { groupsAlong, patchGroups } from "./hessian-rows.ts";
export {
  HESSIAN_RULES,
  hessianQuadrature,
  productRule,
  type HessianQuadrature,
  type HessianRule,
} from "./hessian-rules.ts";
export { expectedHessians, type ExpectedHessiansOptions } from "./expected-hessians.ts";
export {
  integratedGradients,
  type IntegratedGradientsOptions,
  type IntegratedGradientsResult,
} from "./integrated-gradients.ts";
export { smoothingShift, type SmoothingReport } from "./hessian-smooth.ts";
export {
  integratedTriples,
  type IntegratedTriplesOptions,
  type IntegratedTriplesResult,
  type Triple,
} from "./hessian-triples.ts";
export {
  integratedHessians,
  type FeatureBlock,
  type HessianPlan,
  type IntegratedHessiansOptions,
  type IntegratedHessiansResult,
} from "./integrated-hessians.ts";
export {
  interiorGradients,
  type InteriorGradientsOptions,
  type InteriorGradientsResult,
} from "./interior-gradients.ts";
export { equidistributed, gaussLegendre, quadrature, RULES, type Quadrature, type Rule } from "./quadrature.ts";
export { gradientXInput, saliency, type GradientOptions, type SaliencyResult } from "./saliency.ts";
export type { Score, Target } from "./score.ts";
export {
  assertTokenIds,
  embeddingBaseline,
  padTokens,
  tokenAttributions,
  tokenGroups,
  tokenInteractions,
  type EmbeddingTable,
  type EmbeddingTableOptions,
  type PaddedTokens,
  type TokenInteractions,
  type TokenInteractionsOptions,
} from "./tokens.ts";
export type {
  ArrayInput,
  Attribution,
  Attributions,
  Input,
  ModelLike,
  PathOptions,
  Plan,
  Progress,
  RunOptions,
  ScoreOptions,
} from "./types.ts";
