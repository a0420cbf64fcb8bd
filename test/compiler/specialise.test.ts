// Hand-written kernels with their constants set: what is left of their text, and that nothing is lost.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { compactWgsl } from "../../scripts/wgsl.mjs";
import { ShaderError } from "../../src/index.ts";
import { specialise } from "../../src/compiler/specialise.ts";
import { openValidationDevice } from "../gpu.ts";

const set = (wgsl: string, constants: Readonly<Record<string, number | string>>): string =>
  specialise("a kernel", { wgsl, constants, uniforms: [], workgroups: 1, flops: 0 }).replace(/\s+/g, " ");

describe("specialised kernels", () => {
  const text = "const N = 1u; const M = 4u; alias T = f32; ";

  test("have their constants, and are told apart from those that lack one", () => {
    expect(set(`${text}x`, { N: 3, T: "vec4<f32>" })).toBe("const N = 3u; const M = 4u; alias T = vec4<f32>; x");
    expect(() => set(text, { K: 1 })).toThrow(ShaderError);
    expect(set(`${text} if (N > 1u) { a; }`, {})).toContain("if (N > 1u)");
  });

  const rest = (code: string, N = 1): string => set(text + code, { N }).split("f32; ")[1]!;
  test("keep the branches that their constants choose", () => {
    expect(rest("if (N == 1u) { a; } b;")).toBe("{ a; } b;");
    expect(rest("if (N == 1u) { a; } b;", 2)).toBe("b;");
    expect(rest("if(N>1u&&M>3u){a;if(N>2u){b;}}c;", 2)).toBe("{a;}c;");
    expect(rest("if (N > 2u) { for (;;) { if (x) { a; } } } b;")).toBe("b;");
  });

  test("keep what only a run can decide", () => {
    for (const code of [
      "if (n > 1u) { a; }",
      "if (N > n) { a; }",
      "if (N == 1u && n > 1u) { a; }",
      "if (N == 1u || n > 1u) { a; }",
      "if (f(N) == 1u) { a; }",
      "if (N == 1u) { a; } else { b; }",
      "if (n == 1u) { a; } else if (N == 1u) { b; }",
    ])
      expect(rest(code)).toBe(code);
    expect(rest("if (N > 1u && n > 1u) { a; } b;")).toBe("b;");
  });

  test("end where a branch returns", () => {
    expect(rest("fn f() { if (N == 1u) { a; return b; } c; { d; } } fn g() { e; }")).toBe(
      "fn f() { { a; return b; }} fn g() { e; }",
    );
    expect(rest("for (;;) { if (N == 1u) { return; } c; } d;")).toBe("for (;;) { { return; }} d;");
    expect(rest("if (N == 1u) { if (n > 1u) { return; } } c;")).toBe("{ if (n > 1u) { return; } } c;");
  });

  test("do not stumble over braces in comments", () => expect(rest("if (N > 1u) { a; // }\n /* } */ } b;")).toBe("b;"));
});

test("every kernel of the package compiles with other values of its constants", async () => {
  const device = await openValidationDevice();
  const folder = join(import.meta.dirname, "../../src/kernels/wgsl");
  const read = (file: string): string => readFileSync(join(folder, file), "utf8");
  const built: Promise<unknown>[] = [];
  const parts = ["conv_taps.wgsl", "conv_slide.wgsl", "conv_alone.wgsl", "conv_quads.wgsl"];
  const joined: Readonly<Record<string, string>> = {
    conv_single: read("conv_single.wgsl") + read("conv_taps.wgsl"),
    "conv_slide alone": read("conv_alone.wgsl") + read("conv_slide.wgsl") + read("conv_taps.wgsl"),
    "conv_slide in quads":
      read("conv_quads.wgsl") + read("conv_slide.wgsl").replace("QUADS = 0u", "QUADS = 1u") + read("conv_taps.wgsl"),
    ...Object.fromEntries(
      readdirSync(folder)
        .filter((file) => !parts.includes(file) && file !== "conv_single.wgsl")
        .map((file) => [file, read(file)]),
    ),
  };
  for (const [file, text] of Object.entries(joined)) {
    const names = [
      ...text.matchAll(/^const (TM|TN|SHARE|SERIAL|TAPS|RUNS|SPARE|FORM|ALONG|FOURS) = (\d+)u; \/\/ tune/gm),
    ];
    const values: Readonly<Record<string, readonly number[]>> = {
      ...{
        TM: [4, 6, 8, 16],
        TN: [4, 8, 16],
        SHARE: [1, 2, 4],
        SERIAL: [0, 1],
        TAPS: [1, 2, 3, 4, 5],
        RUNS: [1, 2],
        SPARE: [0, 1],
        FORM: [0, 1, 2],
        ALONG: [0, 1],
        FOURS: [1, 2],
      },
    };
    for (const [, name] of names)
      for (const value of values[name!]!)
        for (const wgsl of [text, compactWgsl(text)]) {
          const call = { wgsl, constants: { [name!]: value }, uniforms: [], workgroups: 1, flops: 0 };
          const made = specialise(file, call);
          expect(made.length).toBeLessThan(text.length);
          if (!/subgroups/.test(made) || device.features.subgroups)
            built.push(device.pipeline(made, `${file} ${name} ${value}`));
        }
  }
  expect(built.length).toBeGreaterThan(50);
  await Promise.all(built);
  device.destroy();
});
