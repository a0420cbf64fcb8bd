import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { compactWgsl } from "../scripts/wgsl.mjs";
import { openValidationDevice } from "./gpu.ts";
import { wgslFiles, wgslText } from "./wgsl-files.ts";

const folder = new URL("../src/kernels/wgsl/", import.meta.url);

describe("hand-written WGSL", () => {
  test("loses its comments and spaces, and keeps its statements on lines of their own", () => {
    const source =
      "// header\nconst TM = 4u; // tune\n\n/* two\n   lines */\nfn f(k: u32) -> u32 {\n  return TM - 2u;\n}\n";
    expect(compactWgsl(source)).toBe("const TM=4u;\nfn f(k:u32)->u32{\nreturn TM-2u;\n}");
    expect(compactWgsl("let a = b - -0.5; let c: vec4<f32> = d & 1.0;")).toBe("let a=b- -.5;let c:vec4f=d&1.;");
  });

  test("keeps the names that the compiler replaces, and equal names equal across files", () => {
    const sum = readFileSync(new URL("reduce_sum.wgsl", folder), "utf8");
    expect(compactWgsl(sum)).toContain("fn load_x(i:u32)->Lane{return x[i/LANES];}\nfn store(i:u32,v:f32){out[i]=v;}");
    expect(compactWgsl(sum)).not.toMatch(/\b(total|length|outputs)\b/);
    const uniforms = (file: string): string =>
      /var<uniform>(\w+)/.exec(compactWgsl(readFileSync(new URL(file, folder), "utf8")))![1]!;
    expect(uniforms("reduce_sum.wgsl")).toBe(uniforms("argmax.wgsl"));
  });

  test("from elsewhere keeps its names where short ones would collide", () => {
    const short = /var<uniform>(\w+)/.exec(compactWgsl("@group(0) @binding(0) var<uniform> dims: Dims;"))![1]!;
    expect(compactWgsl(`let ${short} = dims.total;`)).toBe(`let ${short}=dims.total;`);
  });

  test("compiles file by file within WebGPU's default limits", async () => {
    const device = await openValidationDevice();
    for (const file of wgslFiles) await device.pipeline(runnable(wgslText(file)), file);
    device.destroy();
  });
});

/** Files of functions have no entry point. */
const runnable = (text: string): string =>
  text.includes("fn main(") ? text : `${text}\n@compute @workgroup_size(1) fn main() {}`;
