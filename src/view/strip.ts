// Pictures with words: contact sheets (one picture per path step, side by side) and single pictures with their legend.
import { ArgumentError } from "../tensor/errors.ts";
import { type ColorBarOptions, LEGEND_HEIGHT, LEGEND_WIDTH, legendMarkup } from "./bar-chart.ts";
import { pngDataUrl } from "./png.ts";
import { type ColorMap, blueWhiteRed } from "./color.ts";
import type { Picture } from "./heatmap.ts";
import { type Raster, checkWhole } from "./raster.ts";
import { type ChartText, drawing, element, ellipsis, escapeText, heading, label } from "./svg.ts";

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
  checkWhole("strip: gap", gap, 0);
  const { columns, rows, cellWidth, cellHeight } = gridOf(images, options);
  const width = columns * cellWidth + (columns - 1) * gap;
  const height = rows * cellHeight + (rows - 1) * gap;
  const data = new Uint8ClampedArray(width * height * 4);
  images.forEach((image, i) => {
    const x = (i % columns) * (cellWidth + gap) + ((cellWidth - image.width) >> 1);
    const y = Math.floor(i / columns) * (cellHeight + gap) + ((cellHeight - image.height) >> 1);
    for (let row = 0; row < image.height; row++) {
      const pixels = image.data.subarray(row * image.width * 4, (row + 1) * image.width * 4);
      data.set(pixels, ((y + row) * width + x) * 4);
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
  checkWhole("labelledStrip: gap", gap, 0);
  if (labels.length !== images.length) {
    throw new ArgumentError(`labelledStrip: ${images.length} pictures but ${labels.length} labels`);
  }
  const widest = Math.max(1, ...images.map(({ width }) => width));
  const fitting = Math.max(1, Math.min(images.length, Math.floor((960 - 32 + gap) / (widest + gap))));
  const { columns, rows, cellWidth, cellHeight } = gridOf(images, { columns: options.columns ?? fitting });
  const urls = await Promise.all(images.map(pngDataUrl));
  const [left, rowHeight] = [16, cellHeight + 26];
  const width = Math.max(legend ? 2 * LEGEND_WIDTH : 160, 2 * left + columns * cellWidth + (columns - 1) * gap);
  const { body: titleLines, bottom } = heading(title, width);
  const top = bottom + 16;
  const body = images.map((image, i) => {
    const x = left + (i % columns) * (cellWidth + gap);
    const y = top + Math.floor(i / columns) * (rowHeight + gap);
    const place = { x: x + (cellWidth - image.width) / 2, y: y + (cellHeight - image.height) / 2 };
    const size = { width: image.width, height: image.height };
    const tip = element("title", {}, escapeText(labels[i]!));
    const text = ellipsis(labels[i]!, cellWidth + gap - 2);
    return (
      element("image", { ...place, ...size, href: urls[i], style: "image-rendering:pixelated" }, tip) +
      label(x + cellWidth / 2, y + cellHeight + 18, text, { anchor: "middle", className: "soft" })
    );
  });
  const height = top + rows * rowHeight + (rows - 1) * gap + 8;
  const description = options.description ?? `${images.length} pictures: ${labels.join(", ")}`;
  const below = legend ? placed(height, legendMarkup({ ...legend, width })) : "";
  return drawing(
    width,
    height + (legend ? LEGEND_HEIGHT : 0),
    { title, description },
    titleLines + body.join("") + below,
  );
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
  const { height } = picture;
  const image = element("image", {
    width: picture.width,
    height,
    href: await pngDataUrl(picture),
    style: "image-rendering:pixelated",
  });
  if (!("low" in picture)) return drawing(picture.width, height, { title, description }, image);
  const width = Math.max(LEGEND_WIDTH, picture.width);
  const { low, high } = picture;
  const legend = placed(height, legendMarkup({ title, colors, low, high, width }));
  return drawing(width, height + LEGEND_HEIGHT, { title, description }, image + legend);
}

const placed = (top: number, markup: string): string => element("g", { transform: `translate(0 ${top})` }, markup);

function gridOf(images: readonly Raster[], { columns = images.length }: StripOptions) {
  if (images.length === 0) throw new ArgumentError("strip: there are no pictures");
  checkWhole("strip: columns", columns, 1);
  const used = Math.min(columns, images.length);
  return {
    columns: used,
    rows: Math.ceil(images.length / used),
    cellWidth: Math.max(...images.map(({ width }) => width)),
    cellHeight: Math.max(...images.map(({ height }) => height)),
  };
}
