// The truth, in double precision on the CPU.
import { trace } from "../src/graph/trace.ts";
import type { Value } from "../src/graph/node.ts";
import { grad } from "../src/autograd/index.ts";
import { index, sum } from "../src/kernels/index.ts";
import { array64, evaluate, readConstants } from "../src/reference/index.ts";
import type { ConvTask, GradientsTask, MatmulTask } from "./task.ts";

/** [m, n] */
export function matmulTruth({ a, b }: MatmulTask): Float64Array {
  const [m, k, n] = [a.shape[0]!, a.shape[1]!, b.shape[1]!];
  const y = new Float64Array(m * n);
  for (let i = 0; i < m; i++) {
    for (let l = 0; l < k; l++) {
      const factor = a.data[i * k + l]!;
      for (let j = 0; j < n; j++) y[i * n + j]! += factor * b.data[l * n + j]!;
    }
  }
  return y;
}

/** Integrated Gradients of a task, from the f64 definitions of the operations, one node at a time. */
export async function gradientsTruth(model: (x: Value) => Value, task: GradientsTask): Promise<Float64Array> {
  const gradient = grad((x) => sum(index(model(x), 1, task.target)));
  const graph = trace((x) => gradient(x), [{ shape: task.x.shape }]);
  const constants = await readConstants(graph.outputs);
  const x = Float64Array.from(task.x.data);
  const total = new Float64Array(x.length);
  task.nodes.forEach((node, k) => {
    const point = array64(
      x.map((v) => node * v),
      task.x.shape,
    );
    evaluate(graph, [point], { constants })[0]!.data.forEach((g, i) => (total[i]! += task.weights[k]! * g * x[i]!));
  });
  return total;
}

/**
 * The tensor of a convolution that its task asks for. Every product of the sum x w y belongs to one element of each of
 * the three, so one nest of loops serves them all.
 */
export function convTruth({ role, x, w, y, stride, padding }: ConvTask): Float64Array {
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

type Four = [number, number, number, number];
