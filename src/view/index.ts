// aumann/view: explanations as pictures, charts and pages. Stand-alone: no canvas, no dependency, any runtime.
export { type Bar, type BarChartOptions, type ColorBarOptions, barChart, colorBar } from "./bar-chart.ts";
export { type ColorMap, blueWhiteRed, colorAt, grey, inferno, viridis } from "./color.ts";
export { type EvaluationSectionOptions, evaluationSection } from "./evaluation-section.ts";
export {
  type HeatMapOptions,
  type OverlayOptions,
  type Picture,
  type Reduction,
  type ScaleOptions,
  attributedImage,
  heatMap,
  signedOverlay,
} from "./heatmap.ts";
export { type InteractionMatrixOptions, interactionMatrix } from "./interaction-matrix.ts";
export { type InteractionSectionOptions, interactionSection } from "./interaction-section.ts";
export type { Axis } from "./axes.ts";
export { type LineChartOptions, type Series, lineChart } from "./line-chart.ts";
export { type StrongestPairsOptions, strongestPairs } from "./pair-bars.ts";
export { type PairNetworkOptions, pairNetwork } from "./pair-network.ts";
export type { Interactions } from "./pairs.ts";
export { type Pixels, dataUrl, encodePng, pngDataUrl } from "./png.ts";
export {
  type ImageOptions,
  type Interpolation,
  type Layout,
  type NumericArray,
  type Raster,
  rasterOf,
  resizeRaster,
} from "./raster.ts";
export { type OutlineOptions, outlinedRegions } from "./regions.ts";
export { type Cell, type Figure, type ReportOptions, type ReportSection, type Table, report } from "./report.ts";
export { formatNumber, percentile } from "./scale.ts";
export { type InteractionScatterOptions, interactionScatter } from "./scatter.ts";
export {
  type LabelledStripOptions,
  type Legend,
  type PictureSvgOptions,
  type StripOptions,
  labelledStrip,
  pictureSvg,
  strip,
} from "./strip.ts";
export { type ChartText, escapeText } from "./svg.ts";
export { type TextMatrixOptions, textMatrix } from "./text-matrix.ts";
export { type ColouredTokensOptions, colouredTokens } from "./tokens.ts";
