import type { LayerPlan } from "../nets.ts";
import { gradientsWorkload } from "./integrated-gradients.ts";

const conv = (channels: number, out: number, stride = 1, kernel = 3): LayerPlan => ({
  ...{ kind: "conv", in: channels, out, kernel },
  ...{ stride, padding: (kernel - 1) / 2 },
});
const RELU: LayerPlan = { kind: "relu" };

/** Two convolutions beside a shortcut: nothing, or a 1x1 convolution where the shape changes. */
const block = (channels: number, out: number): LayerPlan[] => {
  const stride = out === channels ? 1 : 2;
  const shortcut = out === channels ? [] : [conv(channels, out, stride, 1)];
  return [{ kind: "residual", body: [conv(channels, out, stride), RELU, conv(out, out)], shortcut }, RELU];
};

export const igResnet = gradientsWorkload({
  name: "ig-resnet",
  about: "one picture 3x64x64, residual network of 9 convolutions with 16, 32 and 64 channels, batch norms folded in",
  case: "ig_resnet64",
  // As the stored attributions, since double precision takes a minute.
  rule: "gauss-legendre",
  input: [3, 64, 64],
  layers: [
    ...[conv(3, 16), RELU],
    ...[block(16, 16), block(16, 32), block(32, 64)].flat(),
    { kind: "global-average" },
    { kind: "dense", in: 64, out: 10 },
  ],
});
