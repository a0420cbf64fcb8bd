// Programs on the device: large dispatches, shared pipelines, chains in one submit, and what is refused.
import { describe, expect, test } from "vitest";
import { Commands } from "../../src/compiler/commands.ts";
import { explain } from "../../src/compiler/explain.ts";
import { profile } from "../../src/compiler/profile.ts";
import { compile, type Program } from "../../src/compiler/program.ts";
import { input } from "../../src/graph/leaves.ts";
import type { Value } from "../../src/graph/node.ts";
import { add, matmul, mul, relu, sin, softplus, sum, tanh } from "../../src/kernels/index.ts";
import { ArgumentError, DTypeError, ShapeError, type Tensor } from "../../src/tensor/index.ts";
import { evaluate, fromHost } from "../../src/reference/index.ts";
import { openValidationDevice, withCleanDevice } from "../gpu.ts";
import { expectClose, random } from "../kernels/harness.ts";

describe("programs", () => {
  test("with more than 65535 workgroups are split into two dimensions", () =>
    withCleanDevice(async (device) => {
      // Odd, so that an invocation computes one element and not four.
      const count = 65535 * 64 + 1001;
      const program = compile(device, (x) => add(mul(x, 2), 1), [{ shape: [count] }]);
      expect(program.steps[0]!.workgroups).toBeGreaterThan(65535);
      using x = device.tensor(Float32Array.from({ length: count }, (_, i) => i % 4096));
      const [y] = await program.runAndRead([x]);
      expect(y!.data).toHaveLength(count);
      // A loop, not a matcher: four million comparisons.
      let wrong = 0;
      for (let i = 0; i < count; i++) if (y!.data[i] !== 2 * (i % 4096) + 1) wrong++;
      expect(wrong).toBe(0);
      device.trim();
    }));

  test("share pipelines between layers of different sizes", () =>
    withCleanDevice(async (device) => {
      const layers = (x: Value, ...ws: Value[]): Value => ws.reduce((y, w) => relu(matmul(y, w)), x);
      const specs = (...widths: number[]) =>
        widths.map((width, i) => ({ shape: [i === 0 ? 4 : widths[i - 1]!, width] }));
      const program = compile(device, layers, specs(8, 12, 4, 16, 20, 4));
      const texts = new Set(program.steps.map(({ wgsl }) => wgsl));
      expect(program.plan.pipelines).toBe(texts.size);
      // On software adapters rectifiers of small layers are passes of their own.
      expect(program.plan.dispatches).toBe(5 * texts.size);
      expect(texts.size).toBe(device.info.software ? 2 : 1);
      await program.ready();
      const { pipelines } = device.counters;
      await compile(device, layers, specs(4, 8, 12)).ready();
      expect(device.counters.pipelines).toBe(pipelines);
    }));

  test("share pipelines between different numbers in the same place", async () => {
    const device = await openValidationDevice();
    const scaled = (factor: number) => compile(device, (x) => mul(sin(x), factor), [{ shape: [5] }]);
    await scaled(2.5).ready();
    const { pipelines } = device.counters;
    await scaled(3.5).ready();
    expect(device.counters.pipelines).toBe(pipelines);
    device.destroy();
  });

  test("run again with other inputs", () =>
    withCleanDevice(async (device) => {
      const program = compile(device, (x) => mul(x, x), [{ shape: [3] }]);
      for (const values of [
        [1, 2, 3],
        [4, 5, 6],
      ]) {
        using x = device.tensor(values);
        const [y] = await program.runAndRead([x]);
        expect([...y!.data]).toEqual(values.map((v) => v * v));
      }
    }));

  test("chain through one command buffer in one submit", () =>
    withCleanDevice(async (device) => {
      const step = compile(device, (x, w) => tanh(matmul(x, w)), [{ shape: [2, 6] }, { shape: [6, 6] }]);
      const total = compile(device, (x) => sum(x, [1]), [{ shape: [2, 6] }]);
      await Promise.all([step.ready(), total.ready()]);
      const [x, w] = [random([2, 6], 1), random([6, 6], 2)];
      using start = device.tensor(x);
      using weight = device.tensor(w);
      const before = { ...device.counters };
      const commands = new Commands(device);
      const states = [start];
      for (let k = 0; k < 5; k++) states.push(step.encode(commands, [states.at(-1)!, weight])[0]!);
      states.push(total.encode(commands, [states.at(-1)!])[0]!);
      const [last] = await commands.submitAndRead([states.at(-1)!]);
      states.slice(1).forEach((t) => t.dispose());
      expect(device.counters.submits - before.submits).toBe(1);
      expect(device.counters.readbacks - before.readbacks).toBe(1);
      expect(device.counters.dispatches - before.dispatches).toBe(5 * step.plan.dispatches + 1);
      let state = Array.from(x.data);
      for (let k = 0; k < 5; k++) {
        state = state.map((_, at) => {
          const [row, column] = [Math.floor(at / 6), at % 6];
          let s = 0;
          for (let i = 0; i < 6; i++) s += state[row * 6 + i]! * w.data[i * 6 + column]!;
          return Math.tanh(s);
        });
      }
      expectClose(
        last!.data,
        [state.slice(0, 6), state.slice(6)].map((row) => row.reduce((a, b) => a + b)),
        1e-5,
      );
    }));

  test("given up half-way leave no memory behind", () =>
    withCleanDevice(async (device) => {
      const program = await compile(device, (x) => sum(matmul(x, x)), [{ shape: [4, 4] }]).ready();
      const { live } = device.memory;
      const x = device.tensor(random([4, 4], 1));
      const commands = new Commands(device);
      const outputs = program.encode(commands, [x]);
      commands.abandon();
      outputs.forEach((y) => y.dispose());
      x.dispose();
      expect(device.memory.live).toBe(live);
      await expect(program.run([x])).rejects.toThrow(/tensor of shape \[4, 4\] was disposed/);
      expect(device.memory.live).toBe(live);
    }));
});

describe("quick kernels", () => {
  // Four elements at a time, a sum of four columns at a time and a large register tile: each has a quick form.
  const work = (x: Value, w: Value): Value[] => {
    const z = matmul(x, w);
    const y = mul(relu(z), softplus(z));
    return [y, sum(y, 0)];
  };
  const run = async (program: Program, inputs: readonly Tensor[]): Promise<number[]> =>
    (await program.runAndRead(inputs)).flatMap(({ data }) => Array.from(data));

  test("serve first calls of software adapters and give the same bits", () =>
    withCleanDevice(async (device) => {
      const program = compile(device, work, [{ shape: [120, 40] }, { shape: [40, 64] }]);
      const quick = program.steps.filter((step) => step.quick);
      expect(quick.length).toBe(device.info.software ? 3 : 0);
      const arrays = [random([120, 40], 1), random([40, 64], 2)];
      const inputs = arrays.map((a) => device.tensor(a));
      const first = await run(program, inputs);
      expect(program.steps.every((step) => device.knows(step.wgsl))).toBe(!device.info.software);
      await program.ready(true);
      expect(program.steps.every((step) => device.knows(step.wgsl))).toBe(true);
      expect(await run(program, inputs)).toEqual(first);
      const truth = evaluate(program.graph, arrays.map(fromHost));
      expectClose(
        first,
        truth.flatMap(({ data }) => Array.from(data)),
        1e-5,
      );
      inputs.forEach((t) => t.dispose());
    }));

  test("have the processor to themselves in the first run, whoever got them ready", () =>
    withCleanDevice(async (device) => {
      const program = compile(device, work, [{ shape: [120, 24] }, { shape: [24, 80] }]);
      using x = device.tensor(random([120, 24], 3));
      using w = device.tensor(random([24, 80], 4));
      await program.ready();
      const known = program.steps.map((step) => device.knows(step.wgsl));
      await run(program, [x, w]);
      expect(program.steps.map((step) => device.knows(step.wgsl))).toEqual(known);
      await run(program, [x, w]);
      expect(program.steps.every((step) => device.knows(step.wgsl))).toBe(true);
      await program.ready(true);
    }));

  test("are not used over many elements", async () => {
    const device = await openValidationDevice();
    const program = compile(device, (x) => sum(relu(x), 0), [{ shape: [1024, 128] }]);
    expect(program.steps.filter((step) => step.quick)).toEqual([]);
    device.destroy();
  });
});

describe("explain", () => {
  test("mentions nodes, dispatches, bytes and, on request, WGSL", async () => {
    const device = await openValidationDevice();
    const program = compile(device, (x, w) => relu(matmul(x, w)), [{ shape: [3, 4] }, { shape: [4, 5] }]);
    const text = explain(program);
    expect(text).toContain("graph: ");
    expect(text).toContain("1 dispatches, 1 pipelines");
    expect(text).toMatch(/memory: .* scratch buffers and the outputs/);
    expect(text).toContain("0. matmul+relu: ");
    expect(text).toContain("f32[3, 5]");
    expect(text).not.toContain("@compute");
    const long = explain(program, { wgsl: true });
    expect(long).toContain("@compute");
    expect(long).toContain("fn store(i: u32, v: f32)");
    device.destroy();
  });
});

describe("profile", () => {
  test("times every dispatch and leaves no memory behind, or says that the adapter cannot", () =>
    withCleanDevice(async (device) => {
      const program = compile(device, (x) => matmul(relu(matmul(x, x)), x), [{ shape: [32, 32] }]);
      using x = device.tensor(random([32, 32], 1));
      if (!device.features.timestampQuery) {
        await expect(profile(program, [x])).rejects.toThrow(/no timestamp queries; time whole runs/);
        return;
      }
      const times = await profile(program, [x], { repetitions: 2 });
      expect(times.map(({ label, flops }) => [label, flops])).toEqual(
        program.steps.map(({ label, flops }) => [label, flops]),
      );
      for (const { milliseconds } of times) expect(milliseconds).toBeGreaterThanOrEqual(0);
    }));
});

describe("refusals", () => {
  const [foreign, spec] = [input([3], "f32", "other"), [{ shape: [3] }]];

  test("an input of another function", () =>
    withCleanDevice((device) => {
      const make = (): unknown => compile(device, (y) => add(y, foreign), spec);
      expect(make).toThrow(ArgumentError);
      expect(make).toThrow(/belongs to another function's inputs/);
    }));

  test("inputs of another number, shape, type or device", () =>
    withCleanDevice(async (device) => {
      const program = compile(device, (y) => mul(y, 2), [{ shape: [3], name: "signal" }]);
      using short = device.tensor([1, 2]);
      using whole = device.tensor([1, 2, 3], [3], "i32");
      const other = await openValidationDevice();
      await expect(program.run([])).rejects.toThrow(/expected 1 inputs, got 0/);
      await expect(program.run([short])).rejects.toThrow(ShapeError);
      await expect(program.run([short])).rejects.toThrow(/input signal: expected shape \[3\], got \[2\]/);
      await expect(program.run([whole])).rejects.toThrow(DTypeError);
      await expect(program.run([other.tensor([1, 2, 3])])).rejects.toThrow(/signal is on another device/);
      other.destroy();
    }));

  test("functions that return no value", async () => {
    const device = await openValidationDevice();
    expect(() => compile(device, (() => 5) as never, spec)).toThrow(/must return a value or an array of values/);
    device.destroy();
  });
});
