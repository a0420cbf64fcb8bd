// Every generated kernel: compiles within WebGPU's default limits, and declares the bindings that its step provides.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { detectRaces, WgslReflect } from "wgsl_reflect/wgsl_reflect.module.js";
import { Program } from "../../src/compiler/program.ts";
import type { Step } from "../../src/compiler/step.ts";
import type { Node } from "../../src/graph/node.ts";
import type { Device } from "../../src/tensor/index.ts";
import { openValidationDevice } from "../gpu.ts";
import { wgslFiles, wgslText } from "../wgsl-files.ts";
import { batteryGraphs, graphs } from "./graphs.ts";

let device: Device;
beforeAll(async () => {
  device = await openValidationDevice();
});
afterAll(() => device.destroy());

const STORED = { f32: "f32", i32: "i32", bool: "u32" } as const;

/** What a step binds, as a list of lines that the module's declarations must equal. */
function provided(step: Step): string[] {
  const written = new Set<Node>(step.writes);
  return step.bindings
    .map(({ binding, source }) => {
      if (!("primitive" in source)) return `${binding} uniform`;
      return `${binding} ${written.has(source) ? "read_write" : "read"} ${STORED[source.dtype]}`;
    })
    .sort();
}

/** The library takes `block`, a keyword of early WGSL, for one still. */
const reflect = (wgsl: string): WgslReflect => new WgslReflect(wgsl.replace(/\bblock\(/g, "block_("));

function declared(wgsl: string): string[] {
  const { uniforms, storage } = reflect(wgsl);
  const element = (type: { name: string; format?: { name: string } | null }): string => {
    const name = type.format?.name ?? type.name;
    // Kernels may read an array of f32 as vectors.
    return name.replace(/^vec[234]<?([fiu])(32)?>?$/, "$132").replace(/^vec4$/, "f32");
  };
  return [
    ...uniforms.map(({ binding }) => `${binding} uniform`),
    ...storage.map(({ binding, access, type }) => `${binding} ${access} ${element(type)}`),
  ].sort();
}

async function check(program: Program, seen: Set<string>): Promise<void> {
  await program.ready();
  for (const step of program.steps) {
    if (seen.has(step.wgsl)) continue;
    seen.add(step.wgsl);
    expect(declared(step.wgsl), step.wgsl).toEqual(provided(step));
  }
}

describe("generated kernels", () => {
  const seen = new Set<string>();
  for (const [name, graph] of Object.entries(graphs)) {
    test(name, () => check(new Program(device, graph), seen));
  }
  for (const [op, graph] of batteryGraphs()) {
    test(`battery: ${op}`, () => check(new Program(device, graph), seen));
  }
});

/** Barriers inside loops: the library takes them for none (see below). What these compute is compared with f64 instead. */
const LOOPED = new Set(["adaptive_step.wgsl"]);

describe("hand-written kernels with barriers", () => {
  const texts = wgslFiles.map((file) => [file, wgslText(file)] as const);

  test("all files were looked at", () => expect(texts.length).toBeGreaterThan(10));

  const races = (text: string): string[] => {
    const found = detectRaces(text, "main", [1, 1, 1], buffersFor(text));
    return [...found.errors, ...found.races.map(({ message }) => message)];
  };

  test("have no data race, and no barrier is missing where workgroup memory is shared", () => {
    for (const [file, text] of texts) {
      if (!/var<workgroup>|Barrier\(/.test(text)) continue;
      expect(text, `${file} shares memory, so it needs a barrier`).toMatch(/workgroupBarrier\(|storageBarrier\(/);
      if (!LOOPED.has(file)) expect(races(text), file).toEqual([]);
    }
  });

  test("the library reports races where there are none, as long as a barrier is part of a loop", () => {
    expect(
      races(`
        @group(0) @binding(0) var<storage, read> x: array<f32>;
        @group(0) @binding(1) var<storage, read_write> out: array<f32>;
        var<workgroup> shared_x: array<f32, 16>;
        @compute @workgroup_size(16, 1)
        fn main(@builtin(local_invocation_index) lane: u32) {
          shared_x[lane] = x[lane];
          for (var half = 8u; half > 0u; half >>= 1u) {
            workgroupBarrier();
            if (lane < half) { shared_x[lane] += shared_x[lane + half]; }
          }
          if (lane == 0u) { out[0] = shared_x[0]; }
        }`),
    ).not.toEqual([]);
  });

  test("would be found out", () => {
    const reversed = (barrier: string): string => `
      @group(0) @binding(0) var<storage, read> x: array<f32>;
      @group(0) @binding(1) var<storage, read_write> out: array<f32>;
      var<workgroup> shared_x: array<f32, 16>;
      @compute @workgroup_size(16, 1)
      fn main(@builtin(local_invocation_index) lane: u32) {
        shared_x[lane] = x[lane];
        ${barrier}
        out[lane] = shared_x[15u - lane];
      }`;
    expect(races(reversed("workgroupBarrier();"))).toEqual([]);
    expect(races(reversed(""))).not.toEqual([]);
  });
});

/** Small buffers for every binding of a module: extents of 4, so that loops are short. */
function buffersFor(text: string): Record<string, Record<string, unknown>> {
  const { uniforms, storage } = reflect(text);
  const group: Record<string, unknown> = {};
  for (const { binding } of uniforms) group[binding] = { uniform: new Uint32Array(64).fill(4) };
  for (const { binding } of storage) group[binding] = new Float32Array(4096).fill(1);
  return { 0: group };
}
