// Competition for pixels, against the definition in plain loops.
import { describe, expect, test } from "vitest";
import {
  cgi,
  compete,
  gradientXInput,
  integratedGradients,
  type ClassMaps,
  type CompetitionTarget,
} from "../../src/attribution/index.ts";
import { entry } from "../../src/attribution/competition.ts";
import type { Value } from "../../src/graph/node.ts";
import { add, conv2d, exp, matmul, mul, relu, sum } from "../../src/kernels/index.ts";
import { hostArray } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { argmax, draw, drawArray, expectNear, Mlp, rows, scoreTruth, type Vector } from "./networks.ts";

/** The rule as the paper words it: maps [label][element]. */
function competed(maps: readonly Vector[]): number[][] {
  return maps.map((map, k) =>
    map.map((v, i) => {
      const others = maps.filter((_, l) => l !== k).map((other) => other[i]!);
      if (v > 0) return others.every((o) => v >= o) ? v : 0;
      return others.every((o) => v <= o) ? v : 0;
    }),
  );
}

/** Subtracts the mean over labels. */
const centred = (maps: readonly Vector[]): number[][] =>
  maps.map((map) => map.map((v, i) => v - maps.reduce((s, m) => s + m[i]!, 0) / maps.length));

const mapsOf = (net: Mlp, x: Vector, score: keyof typeof scoreTruth = "logit"): number[][] =>
  Array.from({ length: net.classes }, (_, k) => {
    const gradient = net.gradient(x, scoreTruth[score](k).slope(net.logits(x)));
    return gradient.map((g, i) => g * x[i]!);
  });

const x = drawArray([3, 4], 52, 2);
const labelsOf = (net: Mlp): number[] => rows(x).map((row) => argmax(net.logits(row)));
const ofLabels = (net: Mlp, labels: readonly number[], score?: keyof typeof scoreTruth): number[] =>
  rows(x).flatMap((row, b) => competed(mapsOf(net, row, score))[labels[b]!]!);
/** [K, B, n] */
const ofAll = (net: Mlp): number[] => {
  const each = rows(x).map((row) => competed(mapsOf(net, row)));
  return each[0]!.flatMap((_, k) => each.flatMap((maps) => maps[k]!));
};

describe("cgi of a small network", () => {
  for (const kind of ["tanh", "relu"] as const) {
    for (const classes of [2, 3, 5, 12]) {
      test(`${kind}, ${classes} classes of 5 hidden units`, () =>
        withCleanDevice(async (device) => {
          const truth = new Mlp(kind, 4, 5, classes, 51);
          using net = truth.on(device);
          const winners = labelsOf(truth);
          const own = await cgi(net.model, x);
          expect([...own.targets!.data]).toEqual(winners);
          expect(own.attributions.shape).toEqual([3, 4]);
          expectNear(own.attributions.data, ofLabels(truth, winners));
          expectNear(
            own.scores.data,
            rows(x).flatMap((row) => truth.logits(row)),
          );
          const all = await cgi(net.model, x, { target: "all" });
          expect(all.attributions.shape).toEqual([classes, 3, 4]);
          expect(all.targets).toBeUndefined();
          expectNear(all.attributions.data, ofAll(truth));
          // Through the hidden layer would take as many operations for so shallow a network.
          for (const { plan } of [own, all]) expect(plan.cotangents).toBe(classes);
        }));
    }
  }

  for (const score of ["logit", "probability", "logProbability"] as const) {
    test(score, () =>
      withCleanDevice(async (device) => {
        const truth = new Mlp("tanh", 4, 5, 3, 61);
        using net = truth.on(device);
        const { attributions, scores } = await cgi(net.model, x, { target: [2, 0, 1], score });
        expectNear(attributions.data, ofLabels(truth, [2, 0, 1], score));
        expectNear(
          scores.data,
          rows(x).flatMap((row) => {
            const logits = truth.logits(row);
            return logits.map((_, k) => scoreTruth[score](k).value(logits));
          }),
        );
      }),
    );
  }

  test("subtracts the mean over labels if asked to", () =>
    withCleanDevice(async (device) => {
      const truth = new Mlp("tanh", 4, 5, 3, 71);
      using net = truth.on(device);
      const expected = rows(x).map((row) => competed(centred(mapsOf(truth, row))));
      const one = await cgi(net.model, x, { target: 1, center: true });
      expectNear(
        one.attributions.data,
        expected.flatMap((maps) => maps[1]!),
      );
      const all = await cgi(net.model, x, { target: "all", center: true });
      expectNear(
        all.attributions.data,
        expected[0]!.flatMap((_, k) => expected.flatMap((maps) => maps[k]!)),
      );
    }));

  test("attributes to a layer, whose first axis holds the examples", () =>
    withCleanDevice(async (device) => {
      const truth = new Mlp("tanh", 4, 5, 3, 51);
      using net = truth.on(device);
      const expected = rows(x).flatMap((row) => {
        const hidden = Array.from({ length: 5 }, (_, h) =>
          Math.tanh(row.reduce((s, v, i) => s + v * truth.w1[i * 5 + h]!, truth.b1[h]!)),
        );
        return competed([0, 1, 2].map((k) => hidden.map((a, h) => a * truth.w2[h * 3 + k]!)))[1]!;
      });
      const { attributions } = await cgi(net.model, x, { target: 1, layer: "hidden" });
      expectNear(attributions.data, expected);
    }));

  test("labels with equal maps keep both, however many", () =>
    withCleanDevice(async (device) => {
      // Columns 0, 1 and 2 of the last layer are the same, and 3 is the opposite.
      const column = draw(5, 5);
      const [w1, w2] = [
        device.tensor(draw(20, 4), [4, 5]),
        device.tensor(
          column.flatMap((v) => [v, v, v, -v]),
          [5, 4],
        ),
      ];
      try {
        const model = (v: Value): Value => matmul(relu(matmul(v, w1)), w2);
        const { attributions } = await cgi(model, x, { target: "all" });
        const [a, b, c, d] = [0, 1, 2, 3].map((k) => Array.from(entry(attributions, k).data));
        const { attributions: maps } = await gradientXInput(model, x, { target: 0 });
        expectNear(a!, maps.data);
        expect(b).toEqual(a);
        expect(c).toEqual(a);
        expectNear(
          d!,
          a!.map((v) => -v),
        );
        for (const target of [0, 1, 2]) expectNear((await cgi(model, x, { target })).attributions.data, maps.data);
      } finally {
        [w1, w2].forEach((t) => t.dispose());
      }
    }));

  test("an input that no label reads has no share", () =>
    withCleanDevice(async (device) => {
      const w = device.tensor(draw(12, 7), [4, 3]);
      try {
        const model = ({ a, b }: Readonly<Record<string, Value>>): Value => add(matmul(a!, w), mul(sum(b!), 0));
        const b = drawArray([3, 2], 8);
        const { attributions } = await cgi(model, { a: x, b }, { target: 2 });
        const expected = rows(x).flatMap(
          (row) => competed([0, 1, 2].map((k) => row.map((v, i) => v * draw(12, 7)[i * 3 + k]!)))[2]!,
        );
        expectNear(attributions.a.data, expected);
        expect([...attributions.b.data]).toEqual([0, 0, 0, 0, 0, 0]);
      } finally {
        w.dispose();
      }
    }));
});

describe("more classes than a narrow value has elements", () => {
  // x -> 400 -> 4 values, which a small network with 5 hidden units reads.
  const [wide, back] = [draw(4 * 400, 21, 0.4), draw(400 * 4, 22, 0.1)];
  const whole = Array.from({ length: 16 }, (_, i) =>
    Array.from({ length: 400 }, (_, j) => wide[Math.floor(i / 4) * 400 + j]! * back[j * 4 + (i % 4)]!).reduce(
      (a, v) => a + v,
    ),
  );
  const narrow = (row: Vector): number[] =>
    [0, 1, 2, 3].map((k) => row.reduce((s, v, i) => s + v * whole[i * 4 + k]!, 0));
  const maps = (net: Mlp, row: Vector, score: keyof typeof scoreTruth): number[][] =>
    Array.from({ length: net.classes }, (_, k) => {
      const g = net.gradient(narrow(row), scoreTruth[score](k).slope(net.logits(narrow(row))));
      return row.map((v, i) => v * g.reduce((s, u, j) => s + u * whole[i * 4 + j]!, 0));
    });

  for (const score of ["logit", "probability", "logProbability"] as const) {
    for (const classes of [3, 4, 6, 13]) {
      test(`${score}, ${classes} classes of 4 values`, () =>
        withCleanDevice(async (device) => {
          const truth = new Mlp("tanh", 4, 5, classes, 23);
          using net = truth.on(device);
          const [a, b] = [device.tensor(wide, [4, 400]), device.tensor(back, [400, 4])];
          try {
            const model = (v: Value): Value => net.model(matmul(matmul(v, a), b));
            for (const center of [false, true]) {
              const expected = rows(x).map((row) => {
                const each = maps(truth, row, score);
                return competed(center ? centred(each) : each);
              });
              const one = await cgi(model, x, { target: [2, 0, 1], score, center });
              expectNear(
                one.attributions.data,
                expected.flatMap((each, e) => each[[2, 0, 1][e]!]!),
                2e-5,
              );
              const all = await cgi(model, x, { target: "all", score, center });
              expectNear(
                all.attributions.data,
                expected[0]!.flatMap((_, k) => expected.flatMap((each) => each[k]!)),
                2e-5,
              );
              for (const { plan } of [one, all]) expect(plan.cotangents).toBe(Math.min(classes, 4));
            }
          } finally {
            [a, b].forEach((t) => t.dispose());
          }
        }));
    }
  }
});

describe("channels", () => {
  const image = drawArray([2, 3, 4, 4], 12);
  const weight = draw(4 * 3 * 9, 13);

  /** Gradients of a linear network are its weights: [K, B, ...] from the method without competition. */
  async function onNetwork(
    work: (model: (v: Value) => Value, maps: number[][][]) => Promise<void>,
    sumChannels: boolean,
  ): Promise<void> {
    await withCleanDevice(async (device) => {
      const w = device.tensor(weight, [4, 3, 3, 3]);
      try {
        const model = (v: Value): Value => sum(conv2d(v, w, { padding: 1 }), [2, 3]);
        await work(
          model,
          [0, 1].map((b) => [0, 1, 2, 3].map((k) => linearMap(b, k, sumChannels))),
        );
      } finally {
        w.dispose();
      }
    });
  }

  /** x times the sum of the weights whose window lies inside the picture. */
  function linearMap(b: number, k: number, sumChannels: boolean): number[] {
    const single = Array.from({ length: 48 }, (_, i) => {
      const [c, r, s] = [Math.floor(i / 16), Math.floor(i / 4) % 4, i % 4];
      let gradient = 0;
      for (let dr = 0; dr < 3; dr++) {
        for (let ds = 0; ds < 3; ds++) {
          const [y, z] = [r - dr + 1, s - ds + 1];
          if (y >= 0 && y < 4 && z >= 0 && z < 4) gradient += weight[((k * 3 + c) * 3 + dr) * 3 + ds]!;
        }
      }
      return gradient * image.data[b * 48 + i]!;
    });
    if (!sumChannels) return single;
    return Array.from({ length: 16 }, (_, i) => single[i]! + single[16 + i]! + single[32 + i]!);
  }

  test("are summed before the competition", () =>
    onNetwork(async (model, maps) => {
      const { attributions } = await cgi(model, image, { target: [3, 0] });
      expect(attributions.shape).toEqual([2, 4, 4]);
      expectNear(attributions.data, [...competed(maps[0]!)[3]!, ...competed(maps[1]!)[0]!]);
      for (const reduce of [1, -3])
        expect((await cgi(model, image, { target: [3, 0], reduce })).attributions).toEqual(attributions);
      const any = await compete(gradientXInput)(model, image, { target: [3, 0] });
      expectNear(any.attributions.data, attributions.data);
    }, true));

  test("compete one by one if asked to", () =>
    onNetwork(async (model, maps) => {
      const { attributions } = await cgi(model, image, { target: [3, 0], reduce: "none" });
      expect(attributions.shape).toEqual([2, 3, 4, 4]);
      expectNear(attributions.data, [...competed(maps[0]!)[3]!, ...competed(maps[1]!)[0]!]);
    }, false));

  test("another axis may be summed instead", () =>
    onNetwork(async (model, maps) => {
      const { attributions } = await cgi(model, image, { target: 1, reduce: -1 });
      expect(attributions.shape).toEqual([2, 3, 4]);
      const summed = maps.map((each) =>
        each.map((map) => Array.from({ length: 12 }, (_, i) => map.slice(4 * i, 4 * i + 4).reduce((a, v) => a + v, 0))),
      );
      expectNear(
        attributions.data,
        summed.flatMap((each) => competed(each)[1]!),
      );
    }, false));
});

describe("compete", () => {
  const truth = new Mlp("relu", 4, 5, 4, 91);

  test("with gradient x input is cgi, by all classes at once or in turn", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      for (const target of ["predicted", "all", 2, [3, 1, 0]] as const) {
        const own = await cgi(net.model, x, { target });
        for (const classes of [undefined, 4]) {
          const any = await compete(gradientXInput, { classes })(net.model, x, { target });
          expect(any.attributions.shape).toEqual(own.attributions.shape);
          expectNear(any.attributions.data, own.attributions.data);
          expect(any.targets).toEqual(own.targets);
        }
      }
    }));

  test("with Integrated Gradients", () =>
    withCleanDevice(async (device) => {
      using net = truth.on(device);
      const competitive = compete(integratedGradients, { center: true });
      const { attributions } = await competitive(net.model, x, { target: 1, steps: 7, baseline: 0.3 });
      const whole = await integratedGradients(net.model, x, { target: "all", steps: 7, baseline: 0.3 });
      const expected = [0, 1, 2].flatMap((b) => {
        const maps = [0, 1, 2, 3].map((k) => rows(entry(whole.attributions, k))[b]!);
        return competed(centred(maps))[1]!;
      });
      expectNear(attributions.data, expected);
    }));

  /** Maps of three labels, two examples of three elements. */
  const stored = hostArray([3, -1, 0, 1, 1, -2, 2, -4, 0, 1, -1, -2, 3, -4, 0, -5, 1, 2], [3, 2, 3]);
  const given = (): Promise<ClassMaps> => Promise.resolve({ attributions: stored });
  const model = (v: Value): Value => v;

  test("any maps: a worked example with ties and zeros", async () => {
    const all = await compete(given)(model, stored, { target: "all" });
    expect([...all.attributions.data]).toEqual([3, 0, 0, 1, 1, -2, 0, -4, 0, 1, -1, -2, 3, -4, 0, -5, 1, 2]);
    const one = await compete(given)(model, stored, { target: [1, 2] });
    expect([...one.attributions.data]).toEqual([0, -4, 0, -5, 1, 2]);
    expect([...one.targets!.data]).toEqual([1, 2]);
  });

  test("maps of several inputs", async () => {
    const both = (): Promise<ClassMaps> =>
      Promise.resolve({
        attributions: {
          a: stored,
          b: hostArray(
            stored.data.map((v) => -v),
            [3, 2, 3],
          ),
        },
      });
    const result = await compete(both)(model, { a: stored, b: stored }, { target: 0 });
    expect([...result.attributions.a.data]).toEqual([3, 0, 0, 1, 1, -2]);
    expect([...result.attributions.b.data]).toEqual([-3, 0, 0, -1, -1, 2]);
  });

  test("needs outputs to know the predicted class", async () => {
    await expect(compete(given)(model, stored, {})).rejects.toThrow("target: the method's result has no outputs");
    const known = (): Promise<ClassMaps> =>
      Promise.resolve({ attributions: stored, outputs: hostArray([0, 5, 1, 9, 2, 3], [2, 3]) });
    expect([...(await compete(known)(model, stored, {})).targets!.data]).toEqual([1, 0]);
  });

  test("refuses maps that are not finite, and a number of classes that is none", async () => {
    const holes = (): Promise<ClassMaps> =>
      Promise.resolve({ attributions: hostArray([1, 2, 3, NaN], [2, 1, 2]) }); // prettier-ignore
    await expect(compete(holes)(model, stored, { target: 0 })).rejects.toThrow(
      "the map of a class holds NaN at element 1",
    );
    for (const classes of [1, 2.5, NaN])
      await expect(compete(given, { classes })(model, stored, { target: 0 })).rejects.toThrow(/classes: .* >= 2, got/);
  });

  test("refuses maps of different shapes", async () => {
    let k = 0;
    const method = (): Promise<ClassMaps> => Promise.resolve({ attributions: drawArray([2, 3 + k++], 1) });
    await expect(compete(method, { classes: 3 })(model, stored, { target: 0 })).rejects.toThrow("[2, 3] and [2, 4]");
  });
});

describe("refusals", () => {
  const one = new Mlp("tanh", 4, 5, 1, 3);
  const three = new Mlp("tanh", 4, 5, 3, 3);
  const refused: [string, Mlp, Record<string, unknown>, string][] = [
    ["a single class", one, {}, "competition needs two classes or more, got 1"],
    ["a function", three, { target: (y: Value) => sum(y, 1) }, "name a class instead of a function"],
    ["a class that does not exist", three, { target: 3 }, "class 3 does not exist"],
    ["too few classes", three, { target: [1, 2] }, "2 classes were given for 3 examples"],
    ["an axis of the examples", three, { reduce: 0 }, 'expected "sum", "none" or an axis after that of the examples'],
    ["an axis that does not exist", three, { reduce: 2 }, "reduce: axis 2 does not exist"],
    ["an unknown word", three, { reduce: "max" }, 'expected "sum", "none" or an axis'],
  ];
  for (const [name, truth, options, message] of refused) {
    test(name, () =>
      withCleanDevice(async (device) => {
        using net = truth.on(device);
        await expect(cgi(net.model, x, options)).rejects.toThrow(message);
        await expect(
          compete(gradientXInput, options)(net.model, x, options as { target?: CompetitionTarget }),
        ).rejects.toThrow(message);
      }),
    );
  }

  test("an output without classes, and numbers that overflow", () =>
    withCleanDevice(async (device) => {
      await expect(cgi((v: Value) => sum(v, 1), x, { device })).rejects.toThrow("has no class axis");
      await expect(cgi((v: Value) => exp(mul(v, 100)), x, { device, target: 0 })).rejects.toThrow("must be finite");
    }));
});
