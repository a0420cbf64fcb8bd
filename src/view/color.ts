// Colour maps. A map is a table of sRGB bytes, interpolated from a few anchors in OKLab, where equal steps look equal.
import { mix } from "./raster.ts";

/** 257 colours, so that 0, 1/2 and 1 are exact entries. A diverging map has its neutral colour at 1/2. */
export interface ColorMap {
  readonly kind: "sequential" | "diverging";
  readonly table: Uint8Array;
}

type Triple = readonly [number, number, number];

const STEPS = 256;

/** Dark violet to yellow; lightness grows evenly (anchors: ten colours of matplotlib's viridis, CC0). */
export const viridis: ColorMap = /* @__PURE__ */ fromHex(
  "440154 482878 3e4989 31688e 26828e 1f9e89 35b779 6dcd59 b4de2c fde725",
);

/** Black through red to pale yellow (anchors: ten colours of matplotlib's inferno, CC0). */
export const inferno: ColorMap = /* @__PURE__ */ fromHex(
  "000004 1b0c42 4b0c6b 781c6d a52c60 cf4446 ed6925 fb9a06 f7d03c fcffa4",
);

/** Black to white, even in stored (sRGB) values, as image files are. */
export const grey: ColorMap = {
  kind: "sequential",
  table: /* @__PURE__ */ Uint8Array.from({ length: 3 * (STEPS + 1) }, (_, i) =>
    Math.round((255 * Math.floor(i / 3)) / STEPS),
  ),
};

/**
 * Blue (negative) through white (zero) to red (positive). Both arms have the same lightness at the same distance from zero, so
 * that neither sign looks stronger; blue against red is told apart with every common colour blindness.
 */
export const blueWhiteRed: ColorMap = /* @__PURE__ */ diverging(260, 27);

/** The colour at t in [0, 1] (clipped), as sRGB bytes. */
export function colorAt(map: ColorMap, t: number): [number, number, number] {
  const i = 3 * Math.round(STEPS * Math.min(1, Math.max(0, t)));
  return [map.table[i]!, map.table[i + 1]!, map.table[i + 2]!];
}

/** Linear light, 0 to 1, of an sRGB byte. */
function linear(byte: number): number {
  const v = byte / 255;
  return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
}

/** Luminance (WCAG), 0 to 1. */
export const luminance = ([r, g, b]: Triple): number => 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);

/** "#rrggbb". */
export function hexOf(color: Triple): string {
  return `#${color.map((v) => v.toString(16).padStart(2, "0")).join("")}`;
}

function fromHex(anchors: string): ColorMap {
  const points = anchors.split(" ").map((hex) => {
    const n = parseInt(hex, 16);
    return oklabOf([n >> 16, (n >> 8) & 255, n & 255]);
  });
  return { kind: "sequential", table: interpolated(points) };
}

function diverging(negativeHue: number, positiveHue: number): ColorMap {
  // Lightness and chroma from zero outwards; the chroma is what sRGB can show at both hues. The ends stay clear of black, so
  // that single pixels and dark photographs underneath still show their hue.
  const arm = (hue: number): Triple[] => {
    const angle = (hue * Math.PI) / 180;
    const at = (lightness: number, chroma: number): Triple => {
      return [lightness, chroma * Math.cos(angle), chroma * Math.sin(angle)];
    };
    return [at(0.84, 0.078), at(0.69, 0.16), at(0.5, 0.2)];
  };
  const points: Triple[] = [...arm(negativeHue).reverse(), [0.975, 0, 0], ...arm(positiveHue)];
  return { kind: "diverging", table: interpolated(points) };
}

function interpolated(points: readonly Triple[]): Uint8Array {
  const table = new Uint8Array(3 * (STEPS + 1));
  for (let i = 0; i <= STEPS; i++) {
    const at = (i / STEPS) * (points.length - 1);
    const low = Math.min(points.length - 2, Math.floor(at));
    const between = points[low]!.map((v, k) => mix(v, points[low + 1]![k]!, at - low));
    table.set(srgbOf(between as [number, number, number]), 3 * i);
  }
  return table;
}

// OKLab: B. Ottosson, "A perceptual color space for image processing" (2020).

function oklabOf(srgb: Triple): Triple {
  const [r, g, b] = srgb.map(linear) as [number, number, number];
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function srgbOf([lightness, a, b]: Triple): Triple {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const byte = (linear: number) => {
    const v = Math.min(1, Math.max(0, linear));
    return Math.round(255 * (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055));
  };
  return [
    byte(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    byte(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    byte(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}
