// Every variant of the matrix product on this adapter, whichever it would choose; the choice itself; and the tuner.
import { describe, expect, test } from "vitest";
import { Executable } from "../../src/compiler/executable.ts";
import type { Launch } from "../../src/compiler/recipe.ts";
import { compile } from "../../src/compiler/program.ts";
import { tune } from "../../src/compiler/tune.ts";
import { tunedOf, tuningOf, useTuning } from "../../src/compiler/tuning.ts";
import type { Value } from "../../src/graph/node.ts";
import { reachable, trace } from "../../src/graph/trace.ts";
import { add } from "../../src/kernels/arithmetic.ts";
import { relu } from "../../src/kernels/index.ts";
import { matmulCall, matmulVariants, productKey, type Product } from "../../src/kernels/matmul-call.ts";
import { matmul, type MatmulOptions } from "../../src/kernels/matmul.ts";
import { numel, type Device, type HostArray, type Shape } from "../../src/tensor/index.ts";
import { testDevice, withCleanDevice } from "../gpu.ts";
import { expectClose, random } from "./harness.ts";

interface Case {
  readonly a: Shape;
  readonly b: Shape;
  readonly options?: MatmulOptions;
}

const T = { transposeA: true };
const U = { transposeB: true };

/** Single elements, thin ones, all layouts, edges on every side of a tile, odd inner extents, planes and broadcasts. */
const CASES: readonly Case[] = [
  { a: [1, 1], b: [1, 1] },
  { a: [1, 37], b: [37, 1] },
  { a: [3, 70], b: [70, 66] },
  { a: [66, 5], b: [5, 3] },
  { a: [20, 65], b: [65, 33] },
  { a: [65, 20], b: [65, 33], options: T },
  { a: [20, 65], b: [33, 65], options: U },
  { a: [65, 20], b: [33, 65], options: { ...T, ...U } },
  { a: [64, 16], b: [16, 64] },
  { a: [9, 12], b: [9, 20], options: T },
  { a: [3, 7, 12], b: [3, 7, 20], options: T },
  { a: [3, 7, 9], b: [3, 9, 10] },
  { a: [2, 3, 6, 10], b: [3, 10, 5] },
  { a: [4, 6, 5], b: [4, 6, 5], options: U },
];

/** Extents that are multiples of 4 where an operand is contiguous, with edges of tiles and of subgroups. */
const IN_FOURS: readonly Case[] = [
  { a: [64, 32], b: [32, 64] },
  { a: [1, 4], b: [4, 4] },
  { a: [37, 12], b: [12, 20] },
  { a: [37, 12], b: [20, 12], options: U },
  { a: [12, 36], b: [12, 20], options: T },
  { a: [12, 36], b: [20, 12], options: { ...T, ...U } },
  { a: [3, 7, 12], b: [3, 12, 8] },
  { a: [2, 3, 6, 8], b: [3, 8, 4] },
];

/** In double precision, from the definition. */
function truth({ a, b, options = {} }: Case, x: HostArray, y: HostArray): { shape: Shape; data: Float64Array } {
  const { transposeA: ta = false, transposeB: tb = false } = options;
  const [rows, columns] = [a.slice(-2), b.slice(-2)];
  const [m, k] = ta ? [rows[1]!, rows[0]!] : [rows[0]!, rows[1]!];
  const n = tb ? columns[0]! : columns[1]!;
  const lead = a.slice(0, -2);
  const planes = numel(lead);
  const sharing = numel(b.slice(0, -2));
  const data = new Float64Array(planes * m * n);
  for (let p = 0; p < planes; p++) {
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0;
        for (let q = 0; q < k; q++) {
          const left = x.data[p * m * k + (ta ? q * m + i : i * k + q)]!;
          sum += left * y.data[(p % sharing) * k * n + (tb ? j * k + q : q * n + j)]!;
        }
        data[(p * m + i) * n + j] = sum;
      }
    }
  }
  return { shape: [...lead, m, n], data };
}

const ANY: Product = {
  ...{ planes: 1, m: 8, n: 8, k: 8, ta: false, tb: false },
  ...{ a: { div: 1, mod: 1 }, b: { div: 1, mod: 1 } },
};
const HARDWARE = { software: false, maxStorageBuffers: 8 };
const SOFTWARE = { software: true, maxStorageBuffers: 8 };
const NAMES = Object.keys(matmulVariants({ ...ANY, n: 9 }));
const QUADS = Object.keys(matmulVariants(ANY)).filter((name) => !NAMES.includes(name));

type Fn = (...xs: Value[]) => readonly Value[];

const keysOf = (fn: Fn, inputs: readonly HostArray[]): string[] =>
  reachable(trace(fn, inputs).outputs).flatMap((node) => {
    const { lowering } = node.primitive;
    return lowering.kind === "kernel" && lowering.tuning ? [lowering.tuning.key(node)] : [];
  });

/** What stands in the kernel of a variant: extents of tiles, or the invocations along one side of a shared tile. */
const tileOf = (name: string): string => {
  const [kind, size] = name.split(" ");
  const [rows] = size!.split("x");
  return { small: "", quads: rows!, shared: String(Number(rows) / 4) }[kind!] ?? size!;
};

/** Runs a function with one variant for every matrix product in it. */
async function runWith(device: Device, name: string, fn: Fn, inputs: readonly HostArray[]): Promise<HostArray[]> {
  const keys = keysOf(fn, inputs);
  useTuning(device, Object.fromEntries(keys.map((key) => [key, name])));
  const tensors = inputs.map((x) => device.tensor(x));
  try {
    const program = compile(device, fn, inputs);
    const tiles = program.steps.map(({ wgsl }) =>
      [...wgsl.matchAll(/const (?:TM|TN|G) ?= ?(\d+)u;/g)].map((m) => m[1]),
    );
    expect(new Set(tiles.map((tile) => tile.join("x"))), "all products run this variant").toEqual(
      new Set([tileOf(name)]),
    );
    return await program.runAndRead(tensors);
  } finally {
    tensors.forEach((t) => t.dispose());
    keys.forEach((key) => tunedOf(device).delete(key));
  }
}

const products =
  (cases: readonly Case[]): Fn =>
  (...xs) =>
    cases.map(({ options }, i) => matmul(xs[2 * i]!, xs[2 * i + 1]!, options));
const inputsOf = (cases: readonly Case[]): HostArray[] =>
  cases.flatMap(({ a, b }, i) => [random(a, 2 * i + 1), random(b, 2 * i + 2)]);

async function checkAll(device: Device, name: string, cases: readonly Case[]): Promise<void> {
  const inputs = inputsOf(cases);
  const results = await runWith(device, name, products(cases), inputs);
  results.forEach(({ shape, data }, i) => {
    const expected = truth(cases[i]!, inputs[2 * i]!, inputs[2 * i + 1]!);
    expect(shape).toEqual(expected.shape);
    expectClose(data, expected.data);
  });
}

describe("every variant", () => {
  for (const name of NAMES) {
    test(`${name}: all extents and layouts`, () => withCleanDevice((device) => checkAll(device, name, CASES)));
  }

  test("subgroups of four: all layouts; where an adapter has others, the choice is passed over", () =>
    withCleanDevice(async (device) => {
      expect(QUADS).toEqual(["quads 8x16", "quads 4x16"]);
      if (device.features.subgroups && device.info.subgroupSize === 4) {
        for (const name of QUADS) await checkAll(device, name, IN_FOURS);
        return;
      }
      const [key] = keysOf(products([IN_FOURS[0]!]), inputsOf([IN_FOURS[0]!]));
      useTuning(device, { [key!]: QUADS[0]! });
      const program = compile(device, products([IN_FOURS[0]!]), inputsOf([IN_FOURS[0]!]));
      expect(program.steps.some(({ wgsl }) => wgsl.includes("enable subgroups"))).toBe(false);
      tunedOf(device).delete(key!);
    }));

  test("quick kernels have the results of those that they stand for, to the bit", () =>
    withCleanDevice(async (device) => {
      const cases: Case[] = [
        { a: [94, 72], b: [72, 68] },
        { a: [94, 72], b: [68, 72], options: U },
        { a: [65, 71], b: [71, 67] },
        { a: [71, 65], b: [67, 71], options: { ...T, ...U } },
      ];
      const inputs = inputsOf(cases);
      const tensors = inputs.map((x) => device.tensor(x));
      const program = compile(device, products(cases), inputs);
      expect(program.steps.map(({ quick }) => quick !== undefined)).toEqual(cases.map(() => device.info.software));
      const first = await program.runAndRead(tensors);
      const { recipe, constants } = program;
      const further = (launch: Launch, levels: number): Launch =>
        levels > 0 && launch.quick ? further(launch.quick, levels - 1) : launch;
      const four = device.features.subgroups && device.info.subgroupSize === 4;
      // The first two products are of fours: a tile with fewer rows stands between the large one and the smallest.
      const lengths = recipe.dispatches.map((best) => new Set([0, 1, 2].map((levels) => further(best, levels))).size);
      if (device.info.software) expect(lengths).toEqual(four ? [3, 3, 2, 2] : [2, 2, 2, 2]);
      for (const levels of [0, 1, 2]) {
        const dispatches = recipe.dispatches.map(({ label, flops, ...best }) => {
          const { kernel, workgroups, bindings } = further(best, levels);
          return { label, flops, kernel, workgroups, bindings };
        });
        const results = await new Executable(device, { ...recipe, dispatches }, constants).runAndRead(tensors);
        expect(results.map(({ data }) => data)).toEqual(first.map(({ data }) => data));
      }
      tensors.forEach((t) => t.dispose());
    }));

  for (const name of ["registers 8x16", "shared 16x16"]) {
    test(`${name}: with bias and rectifier fused, and the product itself kept`, () =>
      withCleanDevice(async (device) => {
        // Short passes over few elements are not fused into kernels that take long to compile.
        const c: Case = { a: [521, 7], b: [7, 258] };
        const [x, w, bias] = [random(c.a, 1), random(c.b, 2), random([258], 3)];
        const fn: Fn = (x, w, bias) => {
          const y = matmul(x, w);
          return [relu(add(y, bias)), y];
        };
        const [activated, y] = await runWith(device, name, fn, [x, w, bias]);
        const { data } = truth(c, x, w);
        expectClose(y!.data, data);
        expectClose(
          activated!.data,
          data.map((v, i) => Math.max(0, v + bias.data[i % 258]!)),
        );
      }));
  }

  for (const name of ["registers 8x16", "small 4x4", "shared 64x64", "shared 16x16"]) {
    test(`${name}: long sums stay accurate, and are the same each time`, () =>
      withCleanDevice(async (device) => {
        const c: Case = { a: [4, 20001], b: [20001, 4] };
        const [x, y] = [random(c.a, 5), random(c.b, 6)];
        const fn: Fn = (x, y) => [matmul(x, y)];
        const [first] = await runWith(device, name, fn, [x, y]);
        const [second] = await runWith(device, name, fn, [x, y]);
        expectClose(first!.data, truth(c, x, y).data, 1e-5);
        expect(second!.data).toEqual(first!.data);
      }));
  }
});

describe("the choice without measurements", () => {
  const constants = (extents: Partial<Product>, software: boolean) =>
    matmulCall({ ...ANY, ...extents }, software ? SOFTWARE : HARDWARE).constants;

  test("on a software adapter: large tiles where they fill the cores, small and thin ones else", () => {
    const tile = (planes: number, m: number, n: number): string => {
      const { TM, TN } = constants({ planes, m, n, k: 65 }, true)!;
      return TM === undefined ? "small" : `${TM}x${TN}`;
    };
    expect(tile(1, 512, 512)).toBe("8x16");
    expect(tile(1, 50, 256)).toBe("8x16");
    expect(tile(16, 32, 8)).toBe("8x8");
    expect(tile(1, 10, 10)).toBe("small");
    expect(tile(1, 1, 4096)).toBe("4x16");
    expect(tile(1, 4096, 1)).toBe("8x4");
    expect(tile(256, 8, 8)).toBe("8x8");
  });

  test("with subgroups of four: loads are shared unless rows would be wasted, or extents are odd", () => {
    const name = (m: number, n: number, k = 64): string => {
      const product = { ...ANY, m, n, k };
      const chosen = matmulCall(product, { ...SOFTWARE, quads: true });
      const list = Object.entries(matmulVariants(product, { ...SOFTWARE, quads: true }));
      return list.find(([, call]) => JSON.stringify(call.constants) === JSON.stringify(chosen.constants))![0];
    };
    expect(name(512, 512)).toBe("quads 8x16");
    expect(name(52, 256)).toBe("quads 8x16");
    expect(name(16, 256)).toBe("quads 4x16");
    expect(name(8, 256)).toBe("registers 8x16");
    expect(name(512, 510)).toBe("registers 8x16");
    expect(name(512, 512, 63)).toBe("registers 8x16");
    expect(name(16, 16)).toBe("small 4x4");
  });

  test("on a GPU: large tiles where they fill it, else the inner extent is split", () => {
    const side = (planes: number, m: number, n: number): number =>
      Number(constants({ planes, m, n, k: 4096 }, false)!["G"]) * 4;
    expect(side(1, 1024, 1024)).toBe(64);
    expect(side(1, 256, 256)).toBe(32);
    expect(side(1, 64, 64)).toBe(16);
    expect(side(1, 1, 100_000)).toBe(16);
    expect(side(64, 64, 64)).toBe(64);
  });

  test("keys tell extents and layouts apart", () => {
    const products = [{}, { m: 9 }, { n: 9 }, { k: 9 }, { planes: 9 }, { ta: true }, { tb: true }];
    expect(new Set(products.map((p) => productKey({ ...ANY, ...p }))).size).toBe(products.length);
  });

  test("measures no barriers on a software adapter", () => {
    const names = (software: boolean): string[] => Object.keys(matmulVariants(ANY, software ? SOFTWARE : HARDWARE));
    expect(names(true).filter((name) => name.startsWith("shared"))).toEqual([]);
    expect(names(false)).toEqual([...NAMES.slice(0, 6), ...QUADS, ...NAMES.slice(6)]);
  });
});

describe("tune", () => {
  const fn = (x: Value, w: Value): Value => relu(matmul(x, w));
  const specs = [random([9, 12], 1), random([12, 10], 2)];

  test("measures every variant, and programs compiled afterwards use the fastest", () =>
    withCleanDevice(async (device) => {
      const [result, ...more] = await tune(device, fn, specs, { repetitions: 1 });
      expect(more).toEqual([]);
      const { key, chosen, milliseconds } = result!;
      expect(key).toBe("matmul 1x9x10x12");
      expect(Object.keys(milliseconds)).toEqual(
        NAMES.filter((name) => !device.info.software || !name.startsWith("shared")),
      );
      expect(Object.values(milliseconds).every((t) => t > 0 && t < 1e4)).toBe(true);
      expect(milliseconds[chosen]!).toBeLessThanOrEqual(Math.min(...Object.values(milliseconds)) / 0.95);
      expect(tuningOf(device)).toEqual({ [key]: chosen });
      tunedOf(device).clear();
    }));

  test("gives choices as plain data, which another program of the same device obeys", () =>
    withCleanDevice(async (device) => {
      const wgsl = (): string => compile(device, fn, specs).steps[0]!.wgsl;
      const usual = wgsl();
      const stored = JSON.parse(JSON.stringify({ "matmul 1x9x10x12": "registers 4x16" })) as Record<string, string>;
      useTuning(device, stored);
      expect(tuningOf(device)).toEqual(stored);
      const forced = wgsl();
      expect(forced).not.toBe(usual);
      expect(forced).toMatch(/const TM = 4u;[^]*const TN = 16u;/);
      useTuning(device, { "matmul 1x9x10x12": "a variant of a later version" });
      expect(wgsl()).toBe(usual);
      tunedOf(device).clear();
    }));

  test("refuses what is not a record of texts, and no repetitions", async () => {
    const device = await testDevice();
    expect(() => useTuning(device, { matmul: 3 } as unknown as Record<string, string>)).toThrow(
      /should name a variant/,
    );
    await expect(tune(device, fn, specs, { repetitions: 0 })).rejects.toThrow(
      /repetitions: expected a whole number >= 1/,
    );
  });
});
