// Convolutions in double precision.
import type { ConvTask } from "./task.ts";

export interface Array64 {
  readonly shape: readonly number[];
  readonly data: Float64Array;
}

type Four = [number, number, number, number];

/**
 * The tensor of a convolution that its role asks for. Every product of the sum x w y belongs to one element of each of the
 * three, so one nest of loops serves them all.
 */
export function convolution(
  task: Pick<ConvTask, "role" | "stride" | "padding"> & Readonly<Record<"x" | "w" | "y", Array64>>,
): Float64Array {
  const { role, x, w, y, stride, padding } = task;
  const [images, channels, height, width] = x.shape as Four;
  const [filters, , kh, kw] = w.shape as Four;
  const [, , oh, ow] = y.shape as Four;
  const total = new Float64Array({ forward: y, "input-gradient": x, "weight-gradient": w }[role].data.length);
  for (let n = 0; n < images; n++) {
    for (let o = 0; o < filters; o++) {
      for (let c = 0; c < channels; c++) {
        for (let ky = 0; ky < kh; ky++) {
          for (let kx = 0; kx < kw; kx++) {
            const atW = ((o * channels + c) * kh + ky) * kw + kx;
            for (let row = 0; row < oh; row++) {
              const inRow = row * stride + ky - padding;
              if (inRow < 0 || inRow >= height) continue;
              for (let column = 0; column < ow; column++) {
                const inColumn = column * stride + kx - padding;
                if (inColumn < 0 || inColumn >= width) continue;
                const atX = ((n * channels + c) * height + inRow) * width + inColumn;
                const atY = ((n * filters + o) * oh + row) * ow + column;
                if (role === "forward") total[atY]! += x.data[atX]! * w.data[atW]!;
                else if (role === "input-gradient") total[atX]! += y.data[atY]! * w.data[atW]!;
                else total[atW]! += x.data[atX]! * y.data[atY]!;
              }
            }
          }
        }
      }
    }
  }
  return total;
}
