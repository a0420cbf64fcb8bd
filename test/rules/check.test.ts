// The checks themselves: each must find the mistake that it is there for.
import { describe, expect, test } from "vitest";
import { apply } from "../../src/graph/node.ts";
import { primitive, type Primitive, type PrimitiveSpec } from "../../src/graph/primitive.ts";
import { broadcastTo, mul, sum, transpose } from "../../src/kernels/index.ts";
import { DerivativeError } from "../../src/tensor/errors.ts";
import { checkDerivatives, checkPrimitive } from "../../src/reference/check.ts";
import type { Definition } from "../../src/reference/definition.ts";

type NoAttrs = Record<never, never>;
type Rules = Partial<PrimitiveSpec<NoAttrs>>;

/** x -> 3 x, with rules that can be got wrong one at a time. */
function triple(wrong: Rules): Primitive<NoAttrs> {
  const self: Primitive<NoAttrs> = primitive<NoAttrs>({
    name: "triple",
    aval: ([x]) => ({ shape: x!.shape, dtype: "f32" }),
    lowering: { kind: "elementwise", wgsl: ([x]) => `3.0 * ${x}`, cost: 1 },
    multilinear: true,
    transpose: (ct) => apply(self, [ct], {}),
    batch: ([x]) => apply(self, [x!], {}),
    ...wrong,
  });
  return self;
}

const tripled: Definition = (_, [x]) => x!.data.map((v) => 3 * v);
const check = (wrong: Rules): Promise<unknown> =>
  checkPrimitive(triple(wrong), [{ shape: [3, 3] }], { definition: tripled });

describe("checkPrimitive", () => {
  test("passes right rules", async () => {
    const errors = await checkPrimitive(triple({}), [{ shape: [3, 3] }], { definition: tripled });
    expect(Math.max(...Object.values({ ...errors }))).toBeLessThan(1e-9);
  });
  test("finds a wrong tangent", () => expect(check({ jvp: (_, [t]) => mul(t!, 3.001) })).rejects.toThrow(/jvp check/));
  test("finds a wrong transpose", () =>
    expect(check({ transpose: (ct) => mul(transpose(ct), 3) })).rejects.toThrow(/transpose check/));
  test("finds a wrong batch rule", () =>
    expect(check({ batch: ([x], _, __, size) => broadcastTo(mul(sum(x!, 0), 3), [size, 3, 3]) })).rejects.toThrow(
      /batch check/,
    ));
  test("finds tangents that do not add up", async () => {
    const product = primitive<NoAttrs>({
      name: "product",
      aval: ([x]) => ({ shape: x!.shape, dtype: "f32" }),
      lowering: { kind: "elementwise", wgsl: ([a, b]) => `${a} * ${b}`, cost: 1 },
      jvp: ({ inputs: [a, b] }, [da, db]) => (da ? mul(da, b!) : mul(mul(db!, a!), 2)),
      batch: ([a, b]) => mul(a!, b!),
    });
    const definition: Definition = (_, [a, b]) => a!.data.map((v, i) => v * b!.data[i]!);
    const failing = checkPrimitive(product, [{ shape: [4] }, { shape: [4] }], { definition });
    await expect(failing).rejects.toThrow(DerivativeError);
  });
  test("names a missing rule", () => expect(check({ multilinear: false })).rejects.toThrow(/triple has no derivative/));
  test("names a missing definition", () =>
    expect(checkPrimitive(triple({}), [{ shape: [2] }])).rejects.toThrow(/"triple" has no f64 definition/));
});

describe("checkDerivatives", () => {
  test("finds a wrong second derivative behind a right first one", async () => {
    // The tangent 3 x^2 t is right, but its factor is hidden from further derivatives.
    const cube: Primitive<NoAttrs> = primitive<NoAttrs>({
      name: "cube",
      aval: ([x]) => ({ shape: x!.shape, dtype: "f32" }),
      lowering: { kind: "elementwise", wgsl: ([x]) => `${x} * ${x} * ${x}`, cost: 1 },
      jvp: ({ inputs: [x] }, [t]) => mul(t!, apply(frozenSlope, [x!], {})),
      batch: ([x]) => apply(cube, [x!], {}),
    });
    const frozenSlope: Primitive<NoAttrs> = primitive<NoAttrs>({
      name: "frozenSlope",
      aval: ([x]) => ({ shape: x!.shape, dtype: "f32" }),
      lowering: { kind: "elementwise", wgsl: ([x]) => `3.0 * ${x} * ${x}`, cost: 1 },
      jvp: () => null,
      batch: ([x]) => apply(frozenSlope, [x!], {}),
    });
    const definitions = new Map<Primitive, Definition>([
      [cube, (_, [x]) => x!.data.map((v) => v ** 3)],
      [frozenSlope, (_, [x]) => x!.data.map((v) => 3 * v * v)],
    ]);
    const failing = checkDerivatives((x) => apply(cube, [x], {}), [{ shape: [3], low: 0.5, high: 2 }], { definitions });
    await expect(failing).rejects.toThrow(/hvp check/);
  });
});
