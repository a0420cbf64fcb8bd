// Pictures with words: contact sheets (one picture per path step, side by side) and single pictures with their legend.
import { assertWhole } from "../tensor/checks.ts";
import { ArgumentError } from "../tensor/errors.ts";
import { type ColorBarOptions, LEGEND_HEIGHT, LEGEND_WIDTH, legendMarkup } from "./bar-chart.ts";
import { pngDataUrl } from "./png.ts";
import { type ColorMap, blueWhiteRed } from "./color.ts";
import type { Picture } from "./heatmap.ts";
import type { Raster } from "./raster.ts";
import { type ChartText, drawing, element, ellipsis, heading, label, moved, tooltip } from "./svg.ts";

export interface StripOptions {
  /** Pictures in a row. Default: all of them. */
  columns?: number;
  /** Pixels between pictures. Default 4. */
  gap?: number;
}

/**
 * Pictures side by side, in rows, as one picture. Each is centred in a cell as large as the largest; what stays free is transparent.
 *
 * @throws ArgumentError when there are no pictures.
 */
export function strip(images: readonly Raster[], options: StripOptions = {}): Raster {
  const { gap = 4 } = options;
  assertWhole("strip: gap", gap, 0);
  const { columns, rows, cellWidth, cellHeight } = gridOf(images, options);
  const width = columns * cellWidth + (columns - 1) * gap;
  const height = rows * cellHeight + (rows - 1) * gap;
  const data = new Uint8ClampedArray(width * height * 4);
  images.forEach((image, i) => {
    const [x, y] = placeOf(i, columns, cellWidth + gap, cellHeight + gap);
    const first = (y + ((cellHeight - image.height) >> 1)) * width + x + ((cellWidth - image.width) >> 1);
    for (let row = 0; row < image.height; row++) {
      const pixels = image.data.subarray(row * image.width * 4, (row + 1) * image.width * 4);
      data.set(pixels, (first + row * width) * 4);
    }
  });
  return { width, height, data };
}

export interface LabelledStripOptions extends ChartText {
  images: readonly Raster[];
  /** One for each picture, below it: the path parameter, the score ... */
  labels: readonly string[];
  /** Default: as many as fit into 960 pixels. */
  columns?: number;
  /** Pixels between pictures. Default 8. */
  gap?: number;
  /** Below the pictures: what their colours stand for. Give all of them the same scale (`limit` of a heat map). */
  legend?: Legend;
}

/** What a legend says; it is as wide as the drawing that it belongs to. */
export type Legend = Pick<ColorBarOptions, "title" | "colors" | "low" | "high">;

/** The same with a label under each picture and a title, as an SVG that carries its pictures inside. */
export async function labelledStrip(options: LabelledStripOptions): Promise<string> {
  const { images, labels, title, gap = 8, legend } = options;
  assertWhole("labelledStrip: gap", gap, 0);
  if (labels.length !== images.length) {
    throw new ArgumentError(`labelledStrip: ${images.length} pictures but ${labels.length} labels`);
  }
  const widest = Math.max(1, ...images.map(({ width }) => width));
  const fitting = Math.max(1, Math.min(images.length, Math.floor((960 - 32 + gap) / (widest + gap))));
  const { columns, rows, cellWidth, cellHeight } = gridOf(images, { columns: options.columns ?? fitting });
  const [left, rowHeight] = [16, cellHeight + 26];
  const width = Math.max(legend ? 2 * LEGEND_WIDTH : 160, 2 * left + columns * cellWidth + (columns - 1) * gap);
  const { body: titleLines, bottom } = heading(title, width);
  const top = bottom + 16;
  const cells = images.map(async (image, i) => {
    const [x, y] = placeOf(i, columns, cellWidth + gap, rowHeight + gap);
    const place = { x: left + x + (cellWidth - image.width) / 2, y: top + y + (cellHeight - image.height) / 2 };
    const text = ellipsis(labels[i]!, cellWidth + gap - 2);
    const middle = { anchor: "middle", className: "soft" } as const;
    return (
      (await imageMarkup(image, place, tooltip(labels[i]!))) +
      label(left + x + cellWidth / 2, top + y + cellHeight + 18, text, middle)
    );
  });
  const height = top + rows * rowHeight + (rows - 1) * gap + 8;
  const description = options.description ?? `${images.length} pictures: ${labels.join(", ")}`;
  const body = titleLines + (await Promise.all(cells)).join("");
  return withLegend(height, { title, description }, body, width, legend);
}

export interface PictureSvgOptions extends ChartText {
  /** The colour map of the picture. Default blueWhiteRed, that of signed overlays. */
  colors?: ColorMap;
}

/**
 * A picture as an SVG that carries it inside; below a picture of attributions, the legend of its colours under the title.
 *
 * @returns one SVG element as text; its description is the title if there is no other.
 */
export async function pictureSvg(picture: Raster | Picture, options: PictureSvgOptions): Promise<string> {
  const { title, description = title, colors = blueWhiteRed } = options;
  const { width, height } = picture;
  const image = await imageMarkup(picture);
  const text = { title, description };
  if (!("low" in picture)) return drawing(width, height, text, image);
  const { low, high } = picture;
  return withLegend(height, text, image, Math.max(LEGEND_WIDTH, width), { title, colors, low, high });
}

/** A drawing with a legend below, if there is one. */
function withLegend(height: number, text: Required<ChartText>, body: string, width: number, legend?: Legend): string {
  if (!legend) return drawing(width, height, text, body);
  return drawing(width, height + LEGEND_HEIGHT, text, body + moved(0, height, legendMarkup({ ...legend, width })));
}

async function imageMarkup(image: Raster, place: { x?: number; y?: number } = {}, tip = ""): Promise<string> {
  const { width, height } = image;
  const look = { href: await pngDataUrl(image), style: "image-rendering:pixelated" };
  return element("image", { ...place, width, height, ...look }, tip);
}

const placeOf = (i: number, columns: number, width: number, height: number) =>
  [(i % columns) * width, Math.floor(i / columns) * height] as const;

function gridOf(images: readonly Raster[], { columns = images.length }: StripOptions) {
  if (images.length === 0) throw new ArgumentError("strip: there are no pictures");
  assertWhole("strip: columns", columns, 1);
  const used = Math.min(columns, images.length);
  return {
    columns: used,
    rows: Math.ceil(images.length / used),
    cellWidth: Math.max(...images.map(({ width }) => width)),
    cellHeight: Math.max(...images.map(({ height }) => height)),
  };
}
