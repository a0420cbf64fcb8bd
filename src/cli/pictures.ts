// An explanation as pictures, charts and a page; nothing here computes attributions or writes files.
import { hostArray, type HostArray } from "../tensor/host.ts";
import {
  blueWhiteRed,
  heatMap,
  labelledStrip,
  lineChart,
  resizeRaster,
  signedOverlay,
  strip,
  type Picture,
  type Raster,
} from "../view/index.ts";
import { row, type Explanation } from "./explain.ts";
import { shownPicture, type PictureFormat } from "./picture.ts";

export interface Pictures {
  readonly original: Raster;
  /** Integrated Gradients pixel by pixel. */
  readonly overlay: Picture;
  /** The same summed up over neighbourhoods, so that pixels of both signs cancel as they do in the score. */
  readonly regions: Picture;
  readonly gradient: Picture;
  /** Original, regions and gradient side by side, smaller. */
  readonly comparison: Raster;
  /** Standard deviation of the neighbourhoods, in pixels of the input. */
  readonly sigma: number;
  /** Steps of the path with what each contributes: SVG. */
  readonly interior: string;
  /** Score along the path: SVG. */
  readonly saturation: string;
  /** Size of the gradient along the path: SVG. */
  readonly gradientSize: string;
}

/** Pictures are enlarged by a whole factor to about this many pixels, so that single pixels of the input stay visible. */
const PIXELS = 448;
const STRIP_PIXELS = 224;
const STRIP_PICTURES = 6;
const CHART = { width: 540, height: 330 };
/** Brightness that is left of a picture under attributions: white and strong colours would not differ enough. */
const DIMMED = 0.45;

/** Draws everything, at sizes that suit a page. */
export async function drawPictures(input: HostArray, format: PictureFormat, result: Explanation): Promise<Pictures> {
  const shown = shownPicture(input, format);
  const size = Math.max(format.width, format.height);
  const scale = Math.max(1, Math.round(PIXELS / size));
  const { layout } = format;
  const { attributions } = result.integrated;
  const backdrop = dimmed(shown);
  const sigma = neighbourhood(format);
  const score = scoreName(result);
  const x = { label: "position on the path, from the baseline (0) to the picture (1)" };
  const regions = signedOverlay(attributions, backdrop, { scale, layout, blur: sigma, percentile: 99.8 });
  const gradient = signedOverlay(result.gradient, backdrop, { scale, layout });
  const small = Math.max(1, Math.round(STRIP_PIXELS / size));
  const resized = (picture: Raster, by: number): Raster => resizeRaster(picture, format.width * by, format.height * by);
  return {
    original: resized(shown, scale),
    overlay: signedOverlay(attributions, backdrop, { scale, layout }),
    regions,
    gradient,
    comparison: strip(
      [shown, regions, gradient].map((picture) => resized(picture, small)),
      { gap: 8 },
    ),
    sigma,
    interior: await interiorStrip(input, format, result),
    saturation: lineChart({
      ...CHART,
      title: `The ${score} along the path`,
      series: [{ name: score, x: result.interior.alphas, y: result.interior.scores.data }],
      x,
      y: { label: score },
    }),
    gradientSize: lineChart({
      ...CHART,
      title: "The size of the gradient along the path",
      series: [{ name: "mean |gradient|", x: result.interior.alphas, y: result.interior.meanAbsGradient }],
      x,
      y: { label: "mean |gradient| of a pixel" },
    }),
  };
}

/** What is explained, in words. */
export const scoreName = ({ target, isProbability }: Explanation): string =>
  `${isProbability ? "probability" : "score"} of ${target.name}`;

const neighbourhood = ({ width, height }: PictureFormat): number =>
  Math.max(2, Math.round(Math.max(width, height) / 75));

function dimmed(picture: Raster): Raster {
  return { ...picture, data: picture.data.map((v, i) => (i % 4 === 3 ? v : v * DIMMED)) };
}

/** The picture at positions of the path, each with gradient x (x - x'), whose mean over the path is Integrated Gradients. */
async function interiorStrip(
  input: HostArray,
  format: PictureFormat,
  { interior, baseline }: Explanation,
): Promise<string> {
  const { alphas, gradients, scores } = interior;
  const chosen = Array.from({ length: STRIP_PICTURES }, (_, k) =>
    Math.round((k * (alphas.length - 1)) / (STRIP_PICTURES - 1)),
  );
  const parts = chosen.map((step) => {
    const gradient = row(gradients, step);
    const data = Float32Array.from(gradient.data, (g, i) => g * (input.data[i]! - baseline.data[i]!));
    return hostArray(data, gradient.shape);
  });
  const size = Math.max(format.width, format.height);
  const style = { layout: format.layout, blur: neighbourhood(format), percentile: 99.8 };
  // One scale for all: what matters is at which positions contributions arise.
  const limit = Math.max(...parts.map((part) => heatMap(part, style).high));
  const scale = Math.max(1, Math.round(STRIP_PIXELS / size));
  const images = parts.map((part, k) =>
    signedOverlay(part, dimmed(faded(input, baseline, alphas[chosen[k]!]!, format)), { ...style, limit, scale }),
  );
  const labels = chosen.map((step) => `position ${alphas[step]!.toFixed(1)}, score ${scores.data[step]!.toFixed(2)}`);
  return labelledStrip({
    title: "Contributions at positions of the path",
    images,
    labels,
    columns: 3,
    legend: {
      title: "Gradient times (picture - baseline), smoothed, one scale for all positions",
      colors: blueWhiteRed,
      low: -limit,
      high: limit,
    },
  });
}

/** The picture at a position of the path. */
function faded(input: HostArray, baseline: HostArray, alpha: number, format: PictureFormat): Raster {
  const data = Float32Array.from(input.data, (v, i) => baseline.data[i]! + alpha * (v - baseline.data[i]!));
  return shownPicture(hostArray(data, input.shape), format);
}
