import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { examples } from "../../scripts/drawing.ts";
import { assetPath } from "../../src/cli/assets.ts";
import { decodePicture } from "../../src/cli/picture.ts";

test.each(Object.entries(examples))("assets/%s is what scripts/draw-assets.ts draws", (name, draw) => {
  const { data } = decodePicture(readFileSync(assetPath(name)), name);
  expect(Array.from(draw(), (v, i) => Math.round(255 * v) - data[4 * i]!).filter((v) => v !== 0)).toEqual([]);
});
