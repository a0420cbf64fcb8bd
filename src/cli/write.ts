// The files of a run.
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { AumannError } from "../tensor/errors.ts";
import type { HostArray } from "../tensor/host.ts";
import { writeSafetensors } from "../nn/index.ts";
import { encodePng, formatNumber, interactionSection, pictureSvg, report, type ReportSection } from "../view/index.ts";
import type { Interactions } from "./explain.ts";
import { scoreName, type Pictures } from "./pictures.ts";
import { facts, summaryJson, TOP_COLUMNS, topRows, type Run } from "./summary.ts";

/** Writes pictures, charts, numbers and the report into a folder, which is made if need be; returns the names. */
export async function writeResults(folder: string, run: Run, pictures: Pictures, input: HostArray): Promise<string[]> {
  const { result } = run;
  const arrays = {
    input,
    baseline: result.baseline,
    attributions: result.integrated.attributions,
    gradient: result.gradient,
  };
  const files: Record<string, Uint8Array | string> = {
    "report.html": await page(run, pictures),
    "original.png": await encodePng(pictures.original),
    "ig-overlay.png": await encodePng(pictures.overlay),
    "ig-regions.png": await encodePng(pictures.regions),
    "gradient.png": await encodePng(pictures.gradient),
    "comparison.png": await encodePng(pictures.comparison),
    "interior.svg": pictures.interior,
    "saturation.svg": pictures.saturation,
    "gradient-size.svg": pictures.gradientSize,
    "attributions.safetensors": writeSafetensors(
      Object.fromEntries(
        Object.entries(arrays).map(([name, { shape, data }]) => [
          name,
          { shape, dtype: "F32" as const, data: Float32Array.from(data) },
        ]),
      ),
    ),
    "result.json": `${JSON.stringify(summaryJson(run), undefined, 2)}\n`,
  };
  try {
    await mkdir(folder, { recursive: true });
    await Promise.all(Object.entries(files).map(([name, content]) => writeFile(join(folder, name), content)));
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new AumannError(`cannot write into the folder ${folder}: ${code ?? message}; choose another with --out`, {
      cause,
    });
  }
  return Object.keys(files);
}

async function page(run: Run, pictures: Pictures): Promise<string> {
  const { result, args } = run;
  const name = scoreName(result);
  const { sigma } = pictures;
  return report({
    title: `What makes this "${result.target.name}"?`,
    text: introduction(run),
    figures: [
      {
        content: await pictureSvg(pictures.original, { title: "The picture" }),
        caption: "The picture, as the model saw it.",
      },
      {
        content: await pictureSvg(pictures.regions, { title: `Integrated Gradients, smoothed by ${sigma} pixels` }),
        caption:
          `What counted. Red regions raised the ${name}, blue ones lowered it. Because neighbouring pixels often cancel, ` +
          `every pixel shows the attributions around it, averaged with a Gaussian of ${sigma} pixels.`,
      },
      {
        content: await pictureSvg(pictures.overlay, { title: "Integrated Gradients, pixel by pixel" }),
        caption: `The same without averaging. All pixels together make up the change of the ${name} from the ${args.baseline} baseline. The strongest 1 % share the colours at the ends.`,
      },
      {
        content: await pictureSvg(pictures.gradient, { title: "Gradient, per unit of input" }),
        caption: `The plain gradient, for comparison: how the ${name} reacts to small changes of a pixel, whether or not that pixel contributed to it.`,
      },
    ],
    tables: [{ caption: "The likeliest classes", columns: TOP_COLUMNS, rows: topRows(result) }],
    sections: [
      {
        heading: "Along the path",
        text:
          "Integrated Gradients follows the picture from the baseline (0) to itself (1) and averages gradients on the way. " +
          "Where the score is flat, the network is saturated, and a gradient taken there misses what mattered.",
        figures: [
          { content: pictures.saturation, caption: `The ${name} at 21 positions of the path.` },
          { content: pictures.gradientSize, caption: "How large the gradient is there." },
          {
            content: pictures.interior,
            caption:
              "Where on the path which pixels contribute, smoothed as above: the mean over the whole path is the explanation above.",
          },
        ],
      },
      ...(result.interactions ? [interactionsOf(result.interactions, name)] : []),
      { heading: "What ran", facts: facts(run) },
    ],
  });
}

/** Patches are named like the squares of a chess board seen from Black: A1 is at the upper left. */
function interactionsOf({ result, patch, columns }: Interactions, score: string): ReportSection {
  const { interactions, scores, smoothing, nodes, plan } = result;
  const count = interactions.shape.at(-1)!;
  const square = (i: number): string => `${letters(i % columns)}${Math.floor(i / columns) + 1}`;
  const moved = smoothing ? ` It moved the scores by up to ${formatNumber(smoothing.moved)}.` : "";
  return {
    ...interactionSection({
      heading: "Pairs of patches",
      values: interactions.data,
      labels: Array.from({ length: count }, (_, i) => square(i)),
      scores: { input: scores.input.data[0]!, baseline: scores.baseline.data[0]! },
      facts: { nodes, "largest row residual": Math.max(...result.residuals.data.map(Math.abs)), form: plan.form },
    }),
    text:
      `Integrated Hessians between patches of ${patch} x ${patch} pixels, A1 at the upper left, letters to the right. ` +
      `What two patches add to the ${score} together, beyond what each adds alone. The network was smoothed for this ` +
      `(beta ${smoothing?.beta}), since the second derivatives of one with kinks are zero almost everywhere.${moved}`,
  };
}

/** A, B, ..., Z, AA, AB, ... */
const letters = (i: number): string =>
  (i < 26 ? "" : letters(Math.floor(i / 26) - 1)) + String.fromCharCode(65 + (i % 26));

function introduction({ loaded, args, result }: Run): string {
  const { integrated, target, top } = result;
  const [at, from] = [integrated.scores.input.data[0]!, integrated.scores.baseline.data[0]!];
  const answer =
    top[0]!.index === target.index
      ? `${loaded.name} takes this picture for "${target.name}".`
      : `${loaded.name} takes this picture for "${top[0]!.name}"; here "${target.name}" is explained.`;
  return (
    `${answer} The ${scoreName(result)} is ${at.toFixed(3)}, and ${from.toFixed(3)} at the ${args.baseline} baseline. ` +
    `Integrated Gradients shares the difference, ${(at - from).toFixed(3)}, among the pixels; ` +
    `its attributions sum to ${result.sum.toFixed(3)} with ${integrated.steps} points on the path.`
  );
}
