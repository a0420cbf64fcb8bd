// Arguments that do not fit: a typed error that names the culprit, and no memory left behind.
import { describe, expect, test } from "vitest";
import {
  expectedGradients,
  integratedGradients,
  interiorGradients,
  saliency,
  type Input,
  type IntegratedGradientsOptions,
  type ModelLike,
} from "../../src/attribution/index.ts";
import type { Value } from "../../src/graph/node.ts";
import { embedding, mul, relu, sum } from "../../src/kernels/index.ts";
import type { Tap } from "../../src/nn/model.ts";
import { activation, dense, modelOf, sequential } from "../../src/nn/index.ts";
import {
  ArgumentError,
  DeviceLostError,
  hostArray,
  LimitError,
  NumericError,
  openDevice,
  ShapeError,
  type Device,
} from "../../src/tensor/index.ts";
import { openValidationDevice, testDevice, withCleanDevice } from "../gpu.ts";
import { drawArray, Mlp } from "./networks.ts";

const x = drawArray([2, 4], 91);

type ErrorClass = new (message: string) => Error;

/** Calls with what does not fit, and expects an error of a class with a message, and all memory back. */
function refuses(
  what: string,
  kind: ErrorClass,
  message: RegExp,
  options: IntegratedGradientsOptions | ((device: Device) => IntegratedGradientsOptions),
  input: Input = x,
): void {
  test(what, () =>
    withCleanDevice(async (device) => {
      using net = new Mlp("relu").on(device);
      const { live } = device.memory;
      const given = typeof options === "function" ? options(device) : options;
      const failure: unknown = await integratedGradients(net.model, input, given).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(kind);
      expect((failure as Error).message).toMatch(message);
      expect(device.memory.live).toBe(live);
    }),
  );
}

describe("integratedGradients refuses", () => {
  refuses("an input of the wrong width", ShapeError, /\[2, 3\]/, {}, drawArray([2, 3], 92));
  refuses(
    "NaN in the input",
    NumericError,
    /input "x" holds NaN at element 2 of \[1, 4\]/,
    {},
    hostArray([0, 1, NaN, 3], [1, 4]),
  );
  refuses(
    "infinity in the input",
    NumericError,
    /holds Infinity at element 0/,
    {},
    hostArray([Infinity, 1, 2, 3], [1, 4]),
  );
  refuses("NaN in the baseline", NumericError, /baseline of input "x" holds NaN at element/, { baseline: NaN });
  refuses(
    "a baseline of another shape",
    ShapeError,
    /baseline of input "x": expected \[2, 4\] or one example \[4\], got \[3\]/,
    {
      baseline: hostArray([1, 2, 3]),
    },
  );
  refuses("an unknown baseline", ArgumentError, /baseline: expected "zero", .* got "grey"/, {
    baseline: "grey" as never,
  });
  refuses("no baseline", ArgumentError, /baseline: expected at least one/, { baseline: [] });
  refuses("negative weights", ArgumentError, /weights >= 0/, { baseline: [{ baseline: 0, weight: -1 }] });
  refuses(
    "a class beyond the last",
    ArgumentError,
    /target: class 3 does not exist; the output has 3 classes, 0 to 2/,
    {
      target: 3,
    },
  );
  refuses("a negative class", ArgumentError, /class -1/, { target: -1 });
  refuses("half a class", ArgumentError, /class 0\.5/, { target: 0.5 });
  refuses("classes for another batch", ArgumentError, /3 classes were given for 2 examples/, { target: [0, 1, 2] });
  refuses("an unknown target", ArgumentError, /target: .* got "best"/, { target: "best" as never });
  refuses("an unknown score", ArgumentError, /score: .* got odds/, { score: "odds" as never });
  refuses(
    "a target function with several scores per example",
    ShapeError,
    /one score per example, shape \[2\], got \[2, 3\]/,
    {
      target: (y) => y,
    },
  );
  refuses("an unknown rule", ArgumentError, /rule: expected one of .* got simpson/, { rule: "simpson" as never });
  for (const rule of ["midpoint", "equidistributed"] as const) {
    refuses(`no steps (${rule})`, ArgumentError, /steps: expected a whole number >= 1, got 0/, { rule, steps: 0 });
    refuses(`half a step (${rule})`, ArgumentError, /steps: .* got 2\.5/, { rule, steps: 2.5 });
  }
  refuses("points and a rule", ArgumentError, /points: .* exclude rule/, {
    points: { nodes: [1], weights: [1] },
    rule: "left",
  });
  refuses("points of different length", ArgumentError, /points: 2 nodes and 1 weights/, {
    points: { nodes: [0, 1], weights: [1] },
  });
  refuses("points that are not numbers", ArgumentError, /points: .* finite/, {
    points: { nodes: [NaN], weights: [1] },
  });
  refuses("a tolerance of zero", ArgumentError, /tolerance: expected a number > 0, got 0/, { tolerance: 0 });
  refuses("an unknown layer", ArgumentError, /layer: there is no intermediate value "conv1"; the model names hidden/, {
    layer: "conv1",
  });
  refuses("a budget below one step", LimitError, /one step of this model needs .* raise memoryBudget/, {
    memoryBudget: 16,
  });

  test("a disposed tensor", () =>
    withCleanDevice(async (device) => {
      using net = new Mlp("relu").on(device);
      const input = device.tensor(x);
      input.dispose();
      await expect(integratedGradients(net.model, input)).rejects.toThrow(ArgumentError);
      await expect(integratedGradients(net.model, input)).rejects.toThrow(/tensor of shape \[2, 4\] was disposed/);
      const baseline = device.tensor(x);
      baseline.dispose();
      await expect(integratedGradients(net.model, x, { baseline })).rejects.toThrow(/was disposed/);
    }));

  test("a model whose weights were disposed of", () =>
    withCleanDevice(async (device) => {
      const net = new Mlp("relu").on(device);
      net[Symbol.dispose]();
      const { live } = device.memory;
      await expect(integratedGradients(net.model, x)).rejects.toThrow(/tensor of shape .* was disposed/);
      expect(device.memory.live).toBe(live);
    }));

  test("a run without any device", async () => {
    await expect(integratedGradients((z: Value) => mul(z, 2), hostArray([1]))).rejects.toThrow(
      /device: neither the model nor an input is on a device; pass options.device/,
    );
  });

  test("an output that is not one row of scores per example", () =>
    withCleanDevice(async (device) => {
      const cube = hostArray(new Float32Array(8), [2, 2, 2]);
      const failing = integratedGradients((z: Value) => mul(z, 2), cube, { device });
      await expect(failing).rejects.toThrow(ShapeError);
      await expect(failing).rejects.toThrow(/\[2, 2, 2\]; expected \[batch, classes\]/);
    }));

  test("a class of an output that has none", () =>
    withCleanDevice(async (device) => {
      const failing = integratedGradients((z: Value) => mul(z, 2), hostArray([1, 2]), { device, target: 1 });
      await expect(failing).rejects.toThrow(/\[2\] has no class axis/);
    }));

  test("a path from whole numbers to themselves", () =>
    withCleanDevice(async (device) => {
      using table = device.tensor(drawArray([7, 3], 94));
      const f = (ids: Value, tap?: Tap): Value => sum(tap!("embedding", embedding(table, ids)), [1, 2]);
      const ids = hostArray([1, 2, 3], [1, 3], "i32");
      for (const options of [{}, { baseline: 0 }, { baseline: [{ baseline: "zero" as const }] }]) {
        const failing = integratedGradients(f, ids, { ...options, layer: "embedding" });
        await expect(failing).rejects.toThrow(/baseline: whole numbers have no .* give an array of ids/);
      }
      // A gradient needs no path.
      expect((await saliency(f, ids, { layer: "embedding" })).attributions.shape).toEqual([1, 3, 3]);
    }));

  test("whole numbers without a layer", () =>
    withCleanDevice(async (device) => {
      using table = device.tensor(drawArray([7, 3], 94));
      const f = (ids: Value): Value => sum(embedding(table, ids), [1, 2]);
      const failing = integratedGradients(f, hostArray([1, 2, 3], [1, 3], "i32"));
      await expect(failing).rejects.toThrow(/no input is real-valued; name the layer/);
    }));

  test("an attribution that is not finite", () =>
    withCleanDevice(async (device) => {
      const huge = hostArray([1e30, 1], [1, 2]);
      const { live } = device.memory;
      const failing = integratedGradients((z: Value) => mul(mul(z, 1e20), mul(z, 1e20)), huge, { device, target: 0 });
      await expect(failing).rejects.toThrow(NumericError);
      await expect(failing).rejects.toThrow(/attribution of "x"/);
      expect(device.memory.live).toBe(live);
    }));
});

describe("inputs by name", () => {
  const check = (message: RegExp, kind: ErrorClass, input: Input) =>
    withCleanDevice(async (device) => {
      const network = sequential([
        ["hidden", dense(4, 5)],
        ["relu", activation(relu)],
        ["out", dense(5, 2)],
      ]);
      const model = modelOf(network, network.init(device, 1), [4], { input: "features" });
      const { live } = device.memory;
      const failing = integratedGradients(model, input).finally(() => model.dispose());
      await expect(failing).rejects.toThrow(kind);
      await expect(failing).rejects.toThrow(message);
      expect(live).toBeGreaterThan(0);
    });
  test("missing", () => check(/input "features" is missing; given: pixels/, ArgumentError, { pixels: x }));
  test("unknown", () => check(/no input "pixels"/, ArgumentError, { features: x, pixels: x }));
  test.each([
    [[[1, 2, 3, 4]], "Array"],
    [Float32Array.of(1, 2, 3, 4), "Float32Array"],
    [{ features: [1, 2, 3, 4] }, "Array"],
    [{ features: null }, "Null"],
    [undefined, "Undefined"],
  ])("numbers without a shape: %j", (given, type) =>
    check(
      new RegExp(
        `input "features": expected .*hostArray\\(.*in a record of inputs by name; got a value of type ${type}$`,
      ),
      ArgumentError,
      given as never,
    ),
  );
  test("one array for a model of several", () =>
    withCleanDevice(async (device) => {
      const inputs = ["ids", "lengths"].map((name) => ({ name, shape: [4], dtype: "f32" }) as const);
      const model = { device, inputs, parameters: {}, apply: ({ ids }: Record<string, Value>) => ids!, dispose: () => undefined }; // prettier-ignore
      for (const given of [x, [1, 2] as never])
        await expect(integratedGradients(model, given)).rejects.toThrow(/2 inputs \(ids, lengths\); give a record/);
    }));
  test("of the wrong type", () =>
    check(/input "features": expected f32, got i32/, Error, hostArray([1, 2, 3, 4], [1, 4], "i32")));
  test("of the wrong shape", () =>
    check(/"features": expected \[batch, 4\], got \[2, 2\]/, ShapeError, drawArray([2, 2], 1)));
});

describe("lost devices", () => {
  const lose = async (device: Device, model: ModelLike): Promise<void> => {
    device.destroy();
    const failing = integratedGradients(model, x, { steps: 4 });
    await expect(failing).rejects.toThrow(DeviceLostError);
    await expect(saliency(model, x)).rejects.toThrow(DeviceLostError);
  };

  test("destroyed before the run", async () => {
    const device = await openValidationDevice();
    await lose(device, new Mlp("relu").on(device).model);
  });

  test("destroyed during the run", async () => {
    // By now the Vulkan loader knows its driver.
    await testDevice();
    const device = await openDevice();
    const { model } = new Mlp("relu").on(device);
    await integratedGradients(model, x, { steps: 4 });
    // With a tolerance the first pass is not the last.
    const options = { steps: 4, tolerance: 1e-9, onProgress: () => device.destroy() };
    const running = integratedGradients(model, x, options);
    await expect(running).rejects.toThrow(DeviceLostError);
  });
});

describe("the other methods refuse", () => {
  const run = (work: (device: Device, model: ModelLike) => Promise<unknown>, kind: ErrorClass, message: RegExp) =>
    withCleanDevice(async (device) => {
      using net = new Mlp("relu").on(device);
      const { live } = device.memory;
      const failing = work(device, net.model);
      await expect(failing).rejects.toThrow(kind);
      await expect(failing).rejects.toThrow(message);
      expect(device.memory.live).toBe(live);
    });
  const references = drawArray([3, 4], 93);

  test("interior gradients without positions", () =>
    run((_, model) => interiorGradients(model, x, { alphas: [] }), ArgumentError, /alphas/));
  test("interior gradients of all classes", () =>
    run((_, model) => interiorGradients(model, x, { target: "all" }), ArgumentError, /"all" is not possible/));
  test("interior gradients along several paths", () =>
    run(
      (_, model) => interiorGradients(model, x, { baseline: [{ baseline: 0 }, { baseline: 1 }] }),
      ArgumentError,
      /follow one path, got 2 baselines/,
    ));
  test("interior gradients of an unknown layer", () =>
    run(
      (_, model) => interiorGradients(model, x, { layers: ["pool"] }),
      ArgumentError,
      /"pool"; the model names hidden/,
    ));
  test("references of another shape", () =>
    run(
      (_, model) => expectedGradients(model, x, { references: drawArray([3, 5], 1) }),
      ShapeError,
      /references: expected \[N, .*4.*\] .* got \[3, 5\]/,
    ));
  test("draws of references that do not exist", () =>
    run(
      (_, model) => expectedGradients(model, x, { references, draws: { index: [0, 3], alpha: [0.5, 0.5] } }),
      ArgumentError,
      /reference 3 does not exist; there are 3/,
    ));
  test("draws that do not fit the batch", () =>
    run(
      (_, model) => expectedGradients(model, x, { references, draws: { index: [0, 1, 2], alpha: [0, 0, 0] } }),
      ArgumentError,
      /draws: expected \[2, n\]/,
    ));
  test("a saliency target that does not exist", () =>
    run((_, model) => saliency(model, x, { target: 9 }), ArgumentError, /class 9/));
});
