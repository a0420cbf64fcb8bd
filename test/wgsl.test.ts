import { readdirSync, readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { compactWgsl } from "../scripts/wgsl.mjs";
import { openValidationDevice } from "./gpu.ts";

const folder = new URL("../src/kernels/wgsl/", import.meta.url);

describe("hand-written WGSL", () => {
  test("loses its comments and indentation, and keeps its lines", () => {
    const source = "// header\nconst TM = 4u; // tune\n\n/* two\n   lines */\nfn f() -> u32 {\n  return TM / 2u;\n}\n";
    expect(compactWgsl(source)).toBe("const TM = 4u;\nfn f() -> u32 {\nreturn TM / 2u;\n}");
  });

  test("compiles file by file within WebGPU's default limits", async () => {
    const device = await openValidationDevice();
    const read = (file: string): string => compactWgsl(readFileSync(new URL(file, folder), "utf8"));
    for (const file of readdirSync(folder)) await device.pipeline(runnable(read(file), read), file);
    device.destroy();
  });
});

/** Files of functions have no entry point, and log1p builds upon the logarithm; whatever uses them brings both. */
function runnable(text: string, read: (file: string) => string): string {
  if (text.includes("fn main(")) return text;
  const logarithm = text.includes("safe_log(") && !text.includes("fn safe_log(") ? read("log.wgsl") : "";
  return `${logarithm}\n${text}\n@compute @workgroup_size(1) fn main() {}`;
}
