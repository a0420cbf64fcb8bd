import { describe, expect, it } from "vitest";
import { ArgumentError, ShapeError } from "../../src/tensor/errors.ts";
import { type Raster, outlinedRegions } from "../../src/view/index.ts";

const at = ({ width, data }: Raster, x: number, y: number) => Array.from(data.subarray(4 * (y * width + x), 4 * (y * width + x) + 4)); // prettier-ignore
/** 3 x 2 pixels (width x height) of one colour. */
const image = { shape: [3, 2, 3], data: [1, 0, 0.2].flatMap((v) => Array<number>(6).fill(v)) };
const [plain, yellow, red] = [[255, 0, 51, 255], [255, 220, 0, 255], [255, 0, 0, 255]]; // prettier-ignore

describe("outlinedRegions", () => {
  it("draws where a pixel differs from its right or lower neighbour", () => {
    const picture = outlinedRegions(image, [0, 0, 1, 0, 2, 2]);
    const drawn = [0, 1].map((y) => [0, 1, 2].map((x) => at(picture, x, y)));
    expect(drawn).toEqual([
      [plain, yellow, yellow],
      [yellow, plain, plain],
    ]);
  });

  it("keeps lines one pixel wide when the image is enlarged, and takes a colour", () => {
    const picture = outlinedRegions(image, [0, 1, 1, 0, 1, 1], { scale: 4, color: [255, 0, 0] });
    expect([picture.width, picture.height]).toEqual([12, 8]);
    for (let y = 0; y < 8; y++) for (let x = 0; x < 12; x++) expect(at(picture, x, y)).toEqual(x === 3 ? red : plain);
  });

  it("makes faded labels grey and dark, and leaves the image that was given", () => {
    const raster = { width: 2, height: 1, data: Uint8ClampedArray.of(200, 100, 0, 255, 200, 100, 0, 255) };
    const picture = outlinedRegions(raster, [7, 7], { fade: [7] });
    const luma = 0.35 * (0.2126 * 200 + 0.7152 * 100);
    expect(at(picture, 0, 0)).toEqual([luma, luma, luma, 255].map(Math.round));
    expect([...raster.data]).toEqual([200, 100, 0, 255, 200, 100, 0, 255]);
  });

  it("refuses labels, scales and colours that do not fit", () => {
    expect(() => outlinedRegions(image, [0, 1])).toThrow(ShapeError);
    expect(() => outlinedRegions(image, [0, 1])).toThrow("2 labels for an image of 3 x 2 pixels");
    const labels = [0, 0, 0, 1, 1, 1];
    expect(() => outlinedRegions(image, labels, { scale: 0 })).toThrow(ArgumentError);
    expect(() => outlinedRegions(image, labels, { color: [0, 300, 0] })).toThrow(/color/);
  });
});
