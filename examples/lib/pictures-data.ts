// The pictures that a classifier is asked about, each with boxes around what a reader would look at.
import { readFile } from "node:fs/promises";
import type { Box } from "../../src/attribution/evaluate/localisation.ts";
import { assetPath } from "../../src/cli/assets.ts";
import { decodePicture } from "../../src/cli/picture.ts";
import { FormatError } from "../../src/tensor/errors.ts";
import type { Raster } from "../../src/view/index.ts";
import { fetchDebianFile, fetchDebianFiles, type DebianFileOptions } from "./debian.ts";
import { drawnSymbols } from "./pictures-symbols.ts";

export interface Subject {
  readonly name: string;
  readonly picture: Raster;
  /** In pixels of the picture, by what is inside. */
  readonly boxes: Readonly<Record<string, Box>>;
}

export interface PictureSet {
  /** "faces", say. */
  readonly kind: string;
  readonly source: string;
  /** How the boxes were made. */
  readonly boxed: string;
  readonly subjects: readonly Subject[];
}

/** "mixed": a drawing, and photographs. */
export type PictureKind = "faces" | "symbols" | "photographs" | "mixed";

/** At most `count` pictures of a kind, those of packages downloaded once. */
export const pictureSet = (kind: PictureKind, count: number, options: DebianFileOptions): Promise<PictureSet> =>
  ({ faces, symbols, photographs, mixed })[kind](count, options);

const box = (x: number, y: number, width: number, height: number): Box => ({ x, y, width, height });

// ---- faces ----------------------------------------------------------------------------------------------------------

const SKIMAGE = "python3-skimage";
const SKIMAGE_DATA = "usr/lib/python3/dist-packages/skimage/data";
const LFW_FACES = 100;
/** Faces are aligned: one box fits all. */
const LFW_BOXES = { "eyes, nose and mouth": box(4, 6, 17, 17), mouth: box(7, 16, 11, 6) };

async function faces(count: number, options: DebianFileOptions): Promise<PictureSet> {
  const portrait: Subject = {
    name: "astronaut",
    picture: await pictureFile(assetPath("astronaut-face.png")),
    boxes: { "eyes, nose and mouth": box(25, 34, 62, 66), mouth: box(40, 75, 42, 22) },
  };
  const file = await fetchDebianFile(SKIMAGE, `${SKIMAGE_DATA}/lfw_subset.npy`, options);
  const found = greyPictures(npy(await readFile(file), "lfw_subset.npy"), LFW_FACES);
  const subjects = found.slice(0, Math.max(0, count - 1)).map((picture, k) => ({
    name: `face ${k + 1}`,
    picture,
    boxes: LFW_BOXES,
  }));
  return {
    kind: "faces",
    source:
      "a portrait of the astronaut Eileen Collins (NASA, public domain; 120 x 140 pixels) and the first " +
      `${subjects.length} of the 100 faces of lfw_subset.npy in Debian's ${SKIMAGE}, which come from the collection ` +
      "Labeled Faces in the Wild (25 x 25 pixels, grey)",
    boxed:
      "Boxes were set by hand: one pair for all the small faces, which are aligned, and one for the portrait. They " +
      "are tight on no single face.",
    subjects: [portrait, ...subjects],
  };
}

export interface NumpyArray {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

/**
 * The array of a NumPy file (.npy, format 1), little-endian f64 in C order.
 * @throws FormatError for any other
 */
export function npy(bytes: Uint8Array, name: string): NumpyArray {
  const text = new TextDecoder("latin1");
  if (bytes[0] !== 0x93 || text.decode(bytes.subarray(1, 7)) !== "NUMPY\x01")
    throw new FormatError(`${name} is no NumPy file of format 1`);
  const start = 10 + bytes[8]! + 256 * bytes[9]!;
  const header = text.decode(bytes.subarray(10, start));
  const [, axes] = /'descr': '<f8', 'fortran_order': False, 'shape': \(([\d, ]+)\)/.exec(header) ?? [];
  if (axes === undefined) throw new FormatError(`${name} holds other numbers than f64 in C order: ${header.trim()}`);
  const shape = axes
    .split(",")
    .filter((part) => part.trim() !== "")
    .map(Number);
  const size = shape.reduce((a, b) => a * b, 1);
  if (bytes.length - start !== 8 * size)
    throw new FormatError(`${name}: ${bytes.length - start} bytes of numbers; expected ${8 * size}`);
  // A Buffer's slice would share the file's memory, header and all.
  return { shape, data: new Float64Array(Uint8Array.from(bytes.subarray(start)).buffer) };
}

/** The first `count` of pictures [N, H, W] with values from 0 to 1. */
export function greyPictures({ shape, data }: NumpyArray, count: number): Raster[] {
  const [total = 0, height = 0, width = 0] = shape;
  return Array.from({ length: Math.min(count, total) }, (_, k) => {
    const pixels = new Uint8ClampedArray(4 * width * height).fill(255);
    for (let i = 0; i < width * height; i++) pixels.fill(255 * data[k * width * height + i]!, 4 * i, 4 * i + 3);
    return { width, height, data: pixels };
  });
}

// ---- symbols --------------------------------------------------------------------------------------------------------

async function symbols(count: number): Promise<PictureSet> {
  const files = ["alpha", "sum", "arrow"];
  const drawn = await Promise.all(
    files.map(async (name) => ({ name, picture: await pictureFile(assetPath(`${name}.png`)) })),
  );
  const all = [...drawn, ...drawnSymbols()].slice(0, count);
  return {
    kind: "symbols",
    source: `${all.length} symbols drawn for this package, white strokes on black`,
    boxed: "Boxes are the smallest ones around the strokes.",
    subjects: all.map(({ name, picture }) => ({ name, picture, boxes: { symbol: inkBox(picture) } })),
  };
}

/** The smallest box around all pixels brighter than a quarter of white. */
export function inkBox({ width, height, data }: Raster): Box {
  let [left, right, top, bottom] = [width, 0, height, 0];
  for (let i = 0; i < width * height; i++) {
    if (data[4 * i]! < 64) continue;
    const [x, y] = [i % width, Math.floor(i / width)];
    [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x + 1), Math.min(top, y), Math.max(bottom, y + 1)];
  }
  return box(left, top, Math.max(0, right - left), Math.max(0, bottom - top));
}

// ---- photographs ----------------------------------------------------------------------------------------------------

const DARKNET_DATA = "usr/share/darknet/data";
type Listed = readonly [name: string, debian: string, path: string, object: Box];
const HORSES: Listed = ["horses", "darknet", `${DARKNET_DATA}/horses.jpg`, box(0, 170, 598, 235)];
const PHOTOGRAPHS: readonly Listed[] = [
  ["dog", "darknet", `${DARKNET_DATA}/dog.jpg`, box(130, 220, 185, 325)],
  ["eagle", "darknet", `${DARKNET_DATA}/eagle.jpg`, box(138, 84, 470, 366)],
  ["giraffe and zebra", "darknet", `${DARKNET_DATA}/giraffe.jpg`, box(170, 28, 278, 410)],
  HORSES,
  ["cat", SKIMAGE, `${SKIMAGE_DATA}/chelsea.png`, box(15, 0, 350, 300)],
  ["cup", SKIMAGE, `${SKIMAGE_DATA}/coffee.png`, box(75, 10, 405, 375)],
  ["rocket", SKIMAGE, `${SKIMAGE_DATA}/rocket.jpg`, box(300, 125, 50, 280)],
  ["motorcycle", SKIMAGE, `${SKIMAGE_DATA}/motorcycle_left.png`, box(85, 25, 590, 430)],
];
const DRAWN_HORSE: Listed = ["drawn horse", SKIMAGE, `${SKIMAGE_DATA}/horse.png`, box(18, 8, 372, 306)];
const PACKAGES = `Debian's packages darknet and ${SKIMAGE}`;

async function photographs(count: number, options: DebianFileOptions): Promise<PictureSet> {
  const subjects = await listed(PHOTOGRAPHS.slice(0, count), options);
  return { kind: "photographs", source: `${subjects.length} photographs out of ${PACKAGES}`, boxed: BOXED, subjects };
}

async function mixed(count: number, options: DebianFileOptions): Promise<PictureSet> {
  const others = PHOTOGRAPHS.filter((photo) => photo !== HORSES);
  const subjects = await listed([HORSES, DRAWN_HORSE, ...others].slice(0, count), options);
  const source = `${subjects.length} out of ${PACKAGES}, all but the second (the silhouette of a horse) photographs`;
  return { kind: "pictures", source, boxed: BOXED, subjects };
}

const BOXED = "Boxes were set by hand around the objects that the pictures are named after.";

async function listed(chosen: readonly Listed[], options: DebianFileOptions): Promise<Subject[]> {
  const files = new Map<string, string>();
  for (const debian of new Set(chosen.map(([, name]) => name))) {
    const paths = chosen.filter(([, name]) => name === debian).map(([, , path]) => path);
    (await fetchDebianFiles(debian, paths, options)).forEach((file, i) => files.set(paths[i]!, file));
  }
  return Promise.all(
    chosen.map(async ([name, , path, object]) => ({
      name,
      picture: await pictureFile(files.get(path)!),
      boxes: { object },
    })),
  );
}

async function pictureFile(file: string): Promise<Raster> {
  return decodePicture(new Uint8Array(await readFile(file)), file);
}
