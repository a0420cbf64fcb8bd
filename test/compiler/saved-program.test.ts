// Programs as files: saved, read back, run elsewhere; and files that are none.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { loadProgram, type SavedProgram } from "../../src/ahead.ts";
import {
  ArgumentError,
  AumannError,
  compile,
  FormatError,
  grad,
  hostArray,
  LimitError,
  matmul,
  mul,
  openDevice,
  relu,
  saveProgram,
  sum,
  tanh,
  type Device,
  type ProgramFiles,
} from "../../src/index.ts";
import { openValidationDevice, withCleanDevice } from "../gpu.ts";
import { draw } from "../attribution/networks.ts";

const [ROWS, UNITS] = [3, 40];
const numbers = { x: draw(ROWS, 1), w: draw(ROWS * UNITS, 2), v: draw(UNITS, 3) };

/** The gradient of sum(scale tanh(x w) v) by x, with w captured. */
async function saved(device: Device, fix: boolean): Promise<ProgramFiles> {
  using w = device.tensor(numbers.w, [ROWS, UNITS]);
  const specs = [
    { shape: [1, ROWS], name: "x" },
    { shape: [UNITS, 1], name: "v" },
    { shape: [], name: "scale" },
  ];
  const program = compile(
    device,
    (x, v, scale) => grad((y) => sum(mul(scale, matmul(tanh(matmul(y, w)), v))))(x),
    specs,
  );
  return await saveProgram(program, fix ? [undefined, hostArray(numbers.v, [UNITS, 1])] : []);
}

/** In double precision. */
function truth(scale: number): number[] {
  const column = (j: number): number[] => numbers.x.map((_, i) => numbers.w[i * UNITS + j]!);
  const slopes = numbers.v.map(
    (v, j) => v * (1 - Math.tanh(column(j).reduce((z, w, i) => z + w * numbers.x[i]!, 0)) ** 2),
  );
  return numbers.x.map((_, i) => scale * slopes.reduce((total, s, j) => total + s * numbers.w[i * UNITS + j]!, 0));
}

const throughFile = (program: SavedProgram): SavedProgram => JSON.parse(JSON.stringify(program)) as SavedProgram;

describe("a saved program", () => {
  for (const kernels of [undefined, "software", "hardware"] as const)
    for (const fix of [false, true])
      test(`for ${kernels ?? "this adapter"}${fix ? ", with a fixed input" : ""}, runs on another device`, () =>
        withCleanDevice(async (device) => {
          const origin = await openDevice({ ...(kernels && { kernels }) });
          const { program, weights } = await saved(origin, fix);
          expect(origin.memory.live).toBe(0);
          origin.destroy();
          expect(program.software).toBe(kernels ? kernels === "software" : device.info.software);
          using loaded = loadProgram(device, throughFile(program), weights);
          expect(loaded.recipe.inputs.map(({ name }) => name)).toEqual(fix ? ["x", "scale"] : ["x", "v", "scale"]);
          using x = device.tensor(numbers.x, [1, ROWS]);
          using v = device.tensor(numbers.v, [UNITS, 1]);
          for (const factor of [1, -2, 0.5]) {
            using scale = device.tensor([factor], []);
            // The first run may take quick kernels, later ones others.
            if (factor === 0.5) await loaded.ready(true);
            const [gradient] = await loaded.runAndRead(fix ? [x, scale] : [x, v, scale]);
            truth(factor).forEach((g, i) => expect(gradient!.data[i]).toBeCloseTo(g, 5));
          }
        }));

  test("has its weights, however they come, and gives them back", () =>
    withCleanDevice(async (device) => {
      const { program, weights } = await saved(device, false);
      expect([...new Float32Array(weights)]).toEqual(numbers.w);
      const shifted = new Uint8Array(weights.byteLength + 3);
      shifted.set(new Uint8Array(weights), 3);
      const { live } = device.memory;
      const loaded = loadProgram(device, program, shifted.subarray(3));
      expect((await loaded.constants[0]!.read()).data).toEqual(new Float32Array(weights));
      loaded.dispose();
      expect(device.memory.live).toBe(live);
    }));

  test("keeps to portable kernels where it is for other machines", () =>
    withCleanDevice(async () => {
      for (const kernels of ["software", "hardware"] as const) {
        const device = await openDevice({ kernels });
        expect([device.info.software, device.limits.maxStorageBuffersPerShaderStage]).toEqual([
          kernels === "software",
          8,
        ]);
        using w = device.tensor(draw(64 * 64, 1), [64, 64]);
        const program = compile(device, (x) => relu(matmul(x, w)), [{ shape: [64, 64] }]);
        const files = await saveProgram(program);
        expect(files.program.subgroups).toBe(false);
        expect(files.program.recipe.kernels.join().includes("workgroupBarrier")).toBe(kernels === "hardware");
        device.destroy();
      }
      await expect(openDevice({ kernels: "gpu" as "hardware" })).rejects.toThrow(ArgumentError);
    }));

  test("takes fixed values of an input's shape only", () =>
    withCleanDevice(async (device) => {
      const program = compile(device, (x) => mul(x, 2), [{ shape: [3] }]);
      await expect(saveProgram(program, [hostArray([1, 2])])).rejects.toThrow(ArgumentError);
      await expect(saveProgram(program, [undefined, hostArray([1, 2, 3])])).rejects.toThrow(/of an input/);
    }));
});

describe("files that are no program", () => {
  let device: Device;
  let good: ProgramFiles;
  beforeAll(async () => {
    device = await openValidationDevice();
    good = await saved(device, false);
  });
  afterAll(() => device.destroy());

  /** Every place in plain data, as the keys that lead there. */
  function placesOf(value: unknown, path: readonly string[] = []): string[][] {
    const inside = typeof value === "object" && value !== null ? Object.entries(value) : [];
    return [...(path.length > 0 ? [[...path]] : []), ...inside.flatMap(([key, v]) => placesOf(v, [...path, key]))];
  }

  /** The same data with one place changed. */
  function changed(place: readonly string[], to: unknown): SavedProgram {
    const copy = throughFile(good.program);
    const owner = place.slice(0, -1).reduce<Record<string, unknown>>((at, key) => at[key] as never, copy as never);
    owner[place.at(-1)!] = to;
    return copy;
  }

  test("are refused, or fail with an error of this package, wherever they are damaged", async () => {
    const inputs = [device.tensor(numbers.x, [1, ROWS]), device.tensor(numbers.v, [UNITS, 1]), device.tensor([1], [])];
    const { live } = device.memory;
    const places = placesOf(good.program);
    expect(places.length).toBeGreaterThan(100);
    let refused = 0;
    for (const place of places)
      for (const to of [undefined, null, -1, 1.5, 1e15, "x", {}, []]) {
        const what = `${place.join(".")} = ${JSON.stringify(to)}`;
        try {
          const loaded = loadProgram(device, changed(place, to), good.weights);
          await loaded.runAndRead(inputs).finally(() => loaded.dispose());
        } catch (error) {
          expect(error, what).toBeInstanceOf(AumannError);
          refused++;
        }
        expect(device.memory.live, what).toBe(live);
      }
    expect(refused).toBeGreaterThan(places.length * 4);
    inputs.forEach((t) => t.dispose());
  });

  test("are refused if they are cut, of another version, or not for this adapter", () => {
    const load = (change: object, weights = good.weights): unknown =>
      loadProgram(device, { ...good.program, ...change }, weights);
    expect(() => load({ format: "aumann program 0" })).toThrow(FormatError);
    expect(() => load({}, good.weights.slice(0, 12))).toThrow(/weights are 480 bytes, 12 were given/);
    expect(() => loadProgram(device, null as never, good.weights)).toThrow(FormatError);
    if (device.info.subgroupSize !== 4) expect(() => load({ subgroups: true })).toThrow(LimitError);
    const [first, ...rest] = good.program.recipe.dispatches;
    const many = { ...first!, bindings: Array.from({ length: 20 }, (_, i) => [i, 0]) };
    const recipe = { ...good.program.recipe, dispatches: [many, ...rest] };
    expect(() => load({ recipe })).toThrow(/binds 20 storage buffers, and this adapter allows/);
  });
});
