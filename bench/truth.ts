// The truth, in double precision on the CPU, in plain loops: nothing of the library is used.
import { guided } from "./guided.ts";
import type {
  CompetitionTask,
  ConvTask,
  GradientsTask,
  GradientTask,
  GuidedTask,
  HessianProductTask,
  MatmulTask,
  Net,
  RowsTask,
  ShapleyTask,
} from "./task.ts";
import { convolution, type Array64 } from "./truth-conv.ts";
import { array64, netPass, squaresGradient, squaresHessianProduct } from "./truth-net.ts";

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

export function convTruth({ x, w, y, ...task }: ConvTask): Float64Array {
  const [x64, w64, y64] = [x, w, y].map(({ data, shape }) => array64(data, shape));
  return convolution({ ...task, x: x64!, w: w64!, y: y64! });
}

/** Integrated Gradients, one node at a time. */
export function gradientsTruth({ net, x, target, nodes, weights }: GradientsTask): Float64Array {
  const total = new Float64Array(x.data.length);
  nodes.forEach((node, k) => {
    const point = Array.from(x.data, (v) => node * v);
    const gradient = scoreGradient(net, array64(point, x.shape), target);
    gradient.forEach((g, i) => (total[i]! += weights[k]! * g * x.data[i]!));
  });
  return total;
}

export const gradientTruth = ({ net, x }: GradientTask): Float64Array => squaresGradient(net, array64(x.data, x.shape));

export const hessianProductTruth = ({ net, x, v }: HessianProductTask): Float64Array =>
  squaresHessianProduct(net, array64(x.data, x.shape), v.data);

/** From each baseline, node by node. */
export function shapleyTruth({ net, x, target, masks, shares, nodes, weights }: ShapleyTask): Float64Array {
  const n = x.data.length;
  const total = new Float64Array(n);
  shares.forEach((share, c) => {
    const on = masks.data.subarray(c * n, (c + 1) * n);
    nodes.forEach((node, k) => {
      const point = Array.from(x.data, (v, i) => (on[i] ? v : node * v));
      const gradient = scoreGradient(net, array64(point, x.shape), target);
      gradient.forEach((g, i) => (total[i]! += on[i] ? 0 : share * weights[k]! * g * x.data[i]!));
    });
  });
  return total;
}

/** All maps, then the rule of the competition as it is stated. */
export function competitionTruth({ net, x, target, classes }: CompetitionTask): Float64Array {
  const { y, back } = netPass(net.layers, array64(x.data, x.shape));
  const maps = Array.from({ length: classes }, (_, k) =>
    back(y.data.map((_, i) => (i === k ? 1 : 0))).map((g, i) => g * x.data[i]!),
  );
  return competition(maps, target);
}

/** The map of the target without the elements that another map claims more of. */
export function competition<A extends ArrayLike<number>>(maps: readonly A[], target: number): Float64Array {
  const others = maps.filter((_, k) => k !== target);
  return Float64Array.from(maps[target]!, (v, i) => {
    const kept = v > 0 ? others.every((map) => map[i]! <= v) : others.every((map) => map[i]! >= v);
    return kept ? v : 0;
  });
}

export const guidedTruth = ({ net, x, target, ...rule }: GuidedTask): Promise<Float64Array> =>
  guided(x, rule, (points) => scoreGradient(net, array64(points, x.shape), target));

/** Gradient of the summed output of one class of every example. */
function scoreGradient(net: Net, x: Array64, target: number): Float64Array {
  const { y, back } = netPass(net.layers, x);
  const classes = y.shape[1]!;
  return back(y.data.map((_, i) => (i % classes === target ? 1 : 0)));
}

/** Softmax or layer norm of each row, or its vector-Jacobian product. */
export function rowsTruth(task: RowsTask): Float64Array {
  const n = task.x.shape[1]!;
  const row = task.operation === "softmax" ? softmaxRow : layerNormRow;
  const result = new Float64Array(task.x.data.length);
  for (let at = 0; at < result.length; at += n) {
    const [x, ct] = [task.x, task.y].map(({ data }) => Float64Array.from(data.subarray(at, at + n)));
    result.set(row(task, x!, ct!), at);
  }
  return result;
}

const dot = (a: Float64Array, b: Float64Array): number => a.reduce((sum, v, i) => sum + v * b[i]!, 0);

function softmaxRow({ role }: RowsTask, x: Float64Array, ct: Float64Array): Float64Array {
  const most = Math.max(...x);
  const powers = x.map((v) => Math.exp(v - most));
  const sum = powers.reduce((a, b) => a + b);
  const y = powers.map((p) => p / sum);
  const mean = dot(y, ct);
  return role === "forward" ? y : y.map((v, i) => v * (ct[i]! - mean));
}

function layerNormRow({ role, scale, offset, epsilon }: RowsTask, x: Float64Array, ct: Float64Array): Float64Array {
  const n = x.length;
  const mean = x.reduce((a, b) => a + b) / n;
  const centred = x.map((v) => v - mean);
  const deviation = Math.sqrt(dot(centred, centred) / n + epsilon);
  const standard = centred.map((v) => v / deviation);
  if (role === "forward") return standard.map((v, i) => v * scale.data[i]! + offset.data[i]!);
  const g = ct.map((c, i) => c * scale.data[i]!);
  const [average, along] = [g.reduce((a, b) => a + b) / n, dot(g, standard) / n];
  return g.map((v, i) => (v - average - standard[i]! * along) / deviation);
}
