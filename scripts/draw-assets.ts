// node scripts/run.mjs scripts/draw-assets.ts: draws the symbols in the folder assets anew.
import { writeFileSync } from "node:fs";
import { encodePng } from "../src/view/index.ts";
import { DRAWING_SIZE, examples } from "./drawing.ts";

for (const [name, draw] of Object.entries(examples)) {
  const data = Uint8Array.from(draw(), (v) => Math.round(255 * v));
  writeFileSync(`assets/${name}`, await encodePng({ width: DRAWING_SIZE, height: DRAWING_SIZE, data }));
  console.log(`assets/${name}`);
}
