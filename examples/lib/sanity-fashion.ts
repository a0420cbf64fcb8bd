// Fashion-MNIST (Zalando Research, MIT licence), as Debian's package dataset-fashion-mnist carries it.
import { readFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import type { LabelledExamples } from "../../src/attribution/evaluate/sanity-data.ts";
import { FormatError } from "../../src/tensor/errors.ts";
import { hostArray } from "../../src/tensor/host.ts";
import { numel } from "../../src/tensor/shape.ts";
import { fetchDebianFile, type DebianFileOptions } from "./debian.ts";

const PACKAGE = "dataset-fashion-mnist";
const FOLDER = "usr/share/datasets/fashion-mnist";
const CLASSES = ["T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot"];

/** Grey pictures [N, 1, H, W] from 0 (background) to 1, with their classes. */
export interface LabelledPictures {
  readonly train: LabelledExamples;
  readonly held: LabelledExamples;
  readonly classes: readonly string[];
}

/**
 * The first pictures of the training part and of the test part. The package (31 MB) is downloaded once.
 * @throws AumannError where it cannot be had, FormatError where its files are not what they should be
 */
export async function fashionMnist(
  counts: { readonly train: number; readonly held: number },
  options: DebianFileOptions,
): Promise<LabelledPictures> {
  const part = async (name: string, count: number): Promise<LabelledExamples> => {
    const read = async (kind: string): Promise<Idx> => {
      const path = `${FOLDER}/${name}-${kind}-ubyte.gz`;
      return parseIdx(gunzipSync(await readFile(await fetchDebianFile(PACKAGE, path, options))), path);
    };
    return firstExamples(await read("images-idx3"), await read("labels-idx1"), count);
  };
  return { train: await part("train", counts.train), held: await part("t10k", counts.held), classes: CLASSES };
}

export interface Idx {
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/**
 * An array of bytes in the IDX format: 0, 0, 8 (bytes), the number of axes, the extents as big-endian u32, the data.
 * @throws FormatError for any other
 */
export function parseIdx(bytes: Uint8Array, name: string): Idx {
  const [zero, zeroToo, type, axes = 0] = bytes;
  const start = 4 + 4 * axes;
  if (zero !== 0 || zeroToo !== 0 || type !== 8 || axes === 0 || bytes.length < start)
    throw new FormatError(`${name} is no IDX file of bytes`);
  const view = new DataView(bytes.buffer, bytes.byteOffset);
  const shape = Array.from({ length: axes }, (_, axis) => view.getUint32(4 + 4 * axis));
  if (bytes.length - start !== numel(shape))
    throw new FormatError(`${name}: ${bytes.length - start} bytes of data; its header promises ${numel(shape)}`);
  return { shape, data: bytes.subarray(start) };
}

/** The first `count` pictures [N, H, W] and labels [N]. */
export function firstExamples(pictures: Idx, labels: Idx, count: number): LabelledExamples {
  const [total = 0, height = 0, width = 0] = pictures.shape;
  if (pictures.shape.length !== 3 || labels.shape[0] !== total)
    throw new FormatError(
      `expected a label for each picture, got ${labels.shape[0]} for shape [${pictures.shape.join(", ")}]`,
    );
  const taken = Math.min(count, total);
  const data = Float32Array.from(pictures.data.subarray(0, taken * height * width), (v) => v / 255);
  return { inputs: hostArray(data, [taken, 1, height, width]), labels: labels.data.subarray(0, taken) };
}

/** Some of the examples. */
export function examplesAt({ inputs, labels }: LabelledExamples, rows: readonly number[]): LabelledExamples {
  const shape = [rows.length, ...inputs.shape.slice(1)];
  const size = numel(shape.slice(1));
  const data = new Float32Array(rows.length * size);
  rows.forEach((row, k) => data.set(inputs.data.subarray(row * size, (row + 1) * size), k * size));
  return { inputs: hostArray(data, shape), labels: rows.map((row) => labels[row]!) };
}

/** Where the first examples of `count` classes are, in the order of the classes. */
export function firstOfClasses(labels: ArrayLike<number>, count: number): number[] {
  const all = Array.from(labels);
  return Array.from({ length: count }, (_, label) => all.indexOf(label)).filter((row) => row >= 0);
}
