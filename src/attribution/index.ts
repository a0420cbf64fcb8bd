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
export {
  adaptivePath,
  type AdaptiveOptions,
  type AdaptivePathOptions,
  type AdaptivePathResult,
  type AdaptivePlan,
  type Choose,
  type PathState,
} from "./adaptive-path.ts";
export { blurPath, type BlurPathOptions } from "./blur-path.ts";
export { curvePath, type Curve, type CurvePathOptions, type CurveState } from "./curve-path.ts";
export { guidedIG } from "./guided-ig.ts";
export { idgi } from "./idgi.ts";
export {
  compete,
  type ClassMaps,
  type ClassMethod,
  type Competed,
  type CompeteOptions,
  type CompetitionTarget,
} from "./competition.ts";
export { cgi, type CgiOptions, type CgiPlan, type CgiResult } from "./competition-cgi.ts";
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
export { joinExplanations, type JoinedExplanations } from "./join-explanations.ts";
export { saveExplanation, type ExplanationFiles, type SavableMethod } from "./save-explanation.ts";
export { wholeNetwork, type PathKernel, type WholeNetworkOptions } from "./path-mlp.ts";
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
export {
  gradientShap,
  smoothGrad,
  varGrad,
  type GradientShapOptions,
  type NoisyGradients,
  type SmoothGradOptions,
} from "./noise.ts";
export { equidistributed, gaussLegendre, quadrature, RULES, type Quadrature, type Rule } from "./quadrature.ts";
export { gradientXInput, saliency, type GradientOptions, type SaliencyResult } from "./saliency.ts";
export {
  rankRegions,
  topRegions,
  xrai,
  type RankedRegions,
  type Region,
  type RegionOptions,
  type XraiOptions,
  type XraiResult,
} from "./regions.ts";
export type { Score, Target } from "./score.ts";
export { type CoalitionOptions, type CoalitionSampling } from "./shapley-coalitions.ts";
export type { GameOptions } from "./shapley-game.ts";
export { shapleyIG, type ShapleyIGOptions, type ShapleyIGResult } from "./shapley-ig.ts";
export {
  exactShapley,
  owenShapley,
  sampledShapley,
  type ExactShapleyResult,
  type OwenShapleyOptions,
  type SampledShapleyOptions,
  type SampledShapleyResult,
  type ShapleyResult,
} from "./shapley-values.ts";
export {
  segmentations,
  superpixelGroups,
  superpixels,
  type PictureOptions,
  type SegmentationOptions,
  type SegmentationsOptions,
  type SuperpixelOptions,
} from "./superpixels.ts";
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
