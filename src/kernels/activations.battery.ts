import * as k from "./activations.ts";
import { onShapes, type Battery } from "./battery.ts";

const WIDE = { low: -4, high: 4 };

export const battery: Battery = {
  relu6: onShapes(k.relu6, { low: -3, high: 9, avoid: [0, 6] }),
  elu: [
    ...onShapes((x) => k.elu(x), { ...WIDE, avoid: [0] }),
    ...onShapes((x) => k.elu(x, { alpha: 0.4 }), { ...WIDE, avoid: [0] }),
  ],
  // In the negative tail 1 + erf cancels.
  gelu: [...onShapes((x) => k.gelu(x), WIDE), ...onShapes((x) => k.gelu(x, { approximate: "tanh" }), WIDE)].map(
    (c) => ({
      ...c,
      tolerance: 3e-4,
    }),
  ),
  silu: onShapes(k.silu, WIDE),
  hardSigmoid: [
    ...onShapes((x) => k.hardSigmoid(x), { low: -5, high: 5, avoid: [-3, 3] }),
    ...onShapes((x) => k.hardSigmoid(x, { alpha: 0.2, beta: 0.5 }), { low: -5, high: 5, avoid: [-2.5, 2.5] }),
  ],
  hardSwish: onShapes(k.hardSwish, { low: -5, high: 5, avoid: [-3, 3] }),
};
