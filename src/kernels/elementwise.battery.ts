import { onPairs, onShapes, type Battery } from "./battery.ts";
import * as k from "./index.ts";

const POSITIVE = { low: 0.2, high: 3 };
const WIDE = { low: -4, high: 4 };
const NONZERO = { low: -3, high: 3, avoid: [0] };
const WHOLE = { dtype: "i32", low: -3, high: 4 } as const;
const BOOL = { dtype: "bool" } as const;
/** Pairs of such numbers practically never tie. */
const SPREAD = { low: -3, high: 3 };

export const battery: Battery = {
  add: [
    // More than one workgroup.
    { inputs: [{ shape: [3, 1, 70] }, { shape: [50, 1] }], fn: k.add, shape: [3, 50, 70] },
    ...onPairs(k.add),
    ...onPairs(k.add, WHOLE),
    ...onShapes((x) => k.add(x, 0.75)),
  ],
  sub: [...onPairs(k.sub), ...onPairs(k.sub, WHOLE), ...onShapes((x) => k.sub(0.75, x))],
  mul: [...onPairs(k.mul), ...onPairs(k.mul, WHOLE), ...onShapes((x) => k.mul(x, -1.5))],
  div: [...onPairs(k.div, {}, NONZERO), ...onShapes((x) => k.div(2, x), NONZERO)],
  neg: [...onShapes(k.neg), ...onShapes(k.neg, WHOLE)],
  reciprocal: onShapes(k.reciprocal, NONZERO),
  square: onShapes(k.square, WIDE),
  abs: onShapes(k.abs, NONZERO),
  sign: onShapes(k.sign, NONZERO),
  exp: onShapes(k.exp, WIDE),
  expm1: [...onShapes(k.expm1, WIDE), ...onShapes(k.expm1, { low: -1e-3, high: 1e-3 })],
  log: onShapes(k.log, POSITIVE),
  log1p: [...onShapes(k.log1p, { low: -0.8, high: 3 }), ...onShapes(k.log1p, { low: -1e-3, high: 1e-3 })],
  sqrt: onShapes(k.sqrt, POSITIVE),
  power: [
    ...onPairs(k.power, POSITIVE, { low: -2, high: 2 }),
    ...onShapes((x) => k.power(x, 3), NONZERO),
    ...onShapes((x) => k.power(x, -2), NONZERO),
    ...onShapes((x) => k.power(x, 2.7), POSITIVE),
    ...onShapes((x) => k.power(2, x), WIDE),
  ],
  pow: [0, 1, 2, 0.5, -1, 5].map((e) => ({
    inputs: [{ shape: [5], ...POSITIVE }],
    fn: (x) => k.pow(x, e),
    shape: [5],
  })),
  sin: onShapes(k.sin, WIDE),
  cos: onShapes(k.cos, WIDE),
  // Where tanh nears 1, its slope 1 - y^2 keeps few digits of y in f32.
  tanh: onShapes(k.tanh, WIDE).map((c) => ({ ...c, tolerance: 3e-4 })),
  sigmoid: onShapes(k.sigmoid, WIDE),
  softplus: [...onShapes((x) => k.softplus(x), WIDE), ...onShapes((x) => k.softplus(x, { beta: 3.5 }), WIDE)],
  smoothRelu: onShapes((x) => k.smoothRelu(x)),
  erf: onShapes(k.erf, WIDE),
  relu: onShapes(k.relu, NONZERO),
  leakyRelu: [...onShapes((x) => k.leakyRelu(x), NONZERO), ...onShapes((x) => k.leakyRelu(x, { slope: 0.3 }), NONZERO)],
  maximum: [
    ...onPairs(k.maximum, SPREAD),
    ...onShapes((x) => k.maximum(x, 0.25), { avoid: [0.25] }),
    ...onPairs(k.maximum, WHOLE),
  ],
  minimum: [
    ...onPairs(k.minimum, SPREAD),
    ...onShapes((x) => k.minimum(0.25, x), { avoid: [0.25] }),
    ...onPairs(k.minimum, WHOLE),
  ],
  clamp: onShapes((x) => k.clamp(x, -0.5, 0.75), { low: -2, high: 2, avoid: [-0.5, 0.75] }),
  select: [
    ...onShapes((x) => k.select(k.greater(x, 0), k.mul(x, 2), k.square(x)), NONZERO),
    { inputs: [{ shape: [5], ...BOOL }, { shape: [3, 5] }, { shape: [3, 1] }], fn: k.select, shape: [3, 5] },
    { inputs: [{ shape: [], ...BOOL }, { shape: [] }], fn: (c, x) => k.select(c, x, -2), shape: [] },
    {
      inputs: [
        { shape: [4, 1], ...BOOL },
        { shape: [1, 3], ...WHOLE },
      ],
      fn: (c, x) => k.select(c, 7, x),
      shape: [4, 3],
    },
  ],
  greater: [...onPairs(k.greater, SPREAD), ...onPairs(k.greater, WHOLE)],
  greaterEqual: [...onPairs(k.greaterEqual, SPREAD), ...onPairs(k.greaterEqual, WHOLE)],
  less: [...onPairs(k.less, SPREAD), ...onPairs(k.less, WHOLE)],
  lessEqual: [...onPairs(k.lessEqual, SPREAD), ...onPairs(k.lessEqual, WHOLE)],
  equal: onPairs(k.equal, WHOLE),
  notEqual: onPairs(k.notEqual, WHOLE),
  logicalAnd: onPairs(k.logicalAnd, BOOL),
  logicalOr: onPairs(k.logicalOr, BOOL),
  logicalNot: onShapes(k.logicalNot, BOOL),
  cast: [
    ...onShapes((x) => k.cast(x, "i32"), { low: -4.9, high: 4.9, avoid: [-4, -3, -2, -1, 0, 1, 2, 3, 4] }),
    ...onShapes((x) => k.cast(x, "f32"), WHOLE),
    ...onShapes((x) => k.cast(x, "bool"), WHOLE),
    ...onShapes((x) => k.cast(x, "f32"), BOOL),
  ],
  stopGradient: onShapes((x) => k.stopGradient(x)).map((c) => ({ ...c, smooth: false })),
};
