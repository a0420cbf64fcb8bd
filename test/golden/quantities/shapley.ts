// Games of features or groups of them: scores of coalitions, Shapley values, Integrated Gradients from coalitions.
import {
  exactShapley,
  integratedGradients,
  shapleyIG,
  type ExactShapleyResult,
} from "../../../src/attribution/index.ts";
import { hostArray, type HostArray } from "../../../src/tensor/index.ts";
import { convergedPoints } from "../break-points.ts";
import type { Context, Quantity, Result } from "../context.ts";
import { hasKinks } from "../network.ts";
import { baselineArrays, ofInput } from "./integrated-gradients.ts";

type Expected = Parameters<Quantity>[1];

export const shapleyQuantities: Readonly<Record<string, Quantity>> = {
  coalition_values: async (c, e) => (await exact(c, e)).values,

  shapley: async (c, e) => (await exact(c, e)).players,

  ig_exact_from_coalition_baseline: async (c, e) => {
    const count = 2 ** playerCount(c);
    const maps: HostArray[] = [];
    for (let mask = 0; mask < count; mask++) maps.push(await integratedFrom(c, e, mask));
    const [batch, ...example] = maps[0]!.shape as [number, ...number[]];
    const size = maps[0]!.data.length / batch;
    const rows = Array.from({ length: batch }, (_, b) => maps.map(({ data }) => data.slice(b * size, (b + 1) * size)));
    return { shape: [batch, count, ...example], data: rows.flat().flatMap((row) => Array.from(row)) };
  },

  shapley_weighted_coalition_ig: async (c, e) => (await averaged(c, e)).players,

  /** [B, size, n] */
  coalition_ig_mean_by_size: async (c, e) => {
    const n = playerCount(c);
    const parts: HostArray[] = [];
    for (let size = 0; size < n; size++) parts.push((await averaged(c, e, [size])).players);
    const batch = parts[0]!.shape[0]!;
    const data = Array.from({ length: batch }, (_, b) =>
      parts.map((p) => Array.from(p.data.slice(b * n, (b + 1) * n))),
    );
    return { shape: [batch, n, n], data: data.flat(2) };
  },
};

const playerCount = (c: Context): number => Number(c.case_.file.params["n_players"]);

const common = (c: Context, e: Expected) => ({
  ...c.options(),
  baseline: c.named(baselineArrays(c, e)),
  groups: players(c),
});

const players = (c: Context): ArrayLike<number> => c.array(c.parameter("players")).data;

const exact = (c: Context, e: Expected): Promise<ExactShapleyResult> =>
  c.once("exact Shapley values", () => exactShapley(c.model, c.arrays(), common(c, e)));

/** Over all coalitions, of some sizes, that do not hold the player. */
const averaged = (c: Context, e: Expected, sizes?: readonly number[]) =>
  shapleyIG(c.model, c.arrays(), {
    ...common(c, e),
    sampling: "exhaustive",
    average: "excluded",
    ...(hasKinks(c.case_) ? { rule: "midpoint", steps: 4096 } : { rule: "gauss-legendre", steps: 128 }),
    ...(sizes && { sizes }),
  });

/** The integral from the coalition whose players are the bits of `mask`. */
async function integratedFrom(c: Context, e: Expected, mask: number): Promise<HostArray & Result> {
  let first = 0;
  const labels = players(c);
  const arrays = c.parts(c.arrays()).map((x, j) => {
    const base = baselineArrays(c, e)[j]!;
    const size = x.data.length / x.shape[0]!;
    const data = Float32Array.from(x.data, (v, k) =>
      (mask >> labels[first + (k % size)]!) & 1 ? v : base.data[k % base.data.length]!,
    );
    first += size;
    return hostArray(data, x.shape);
  });
  const points = await convergedPoints(c, arrays);
  return ofInput(
    c,
    e,
    await integratedGradients(c.model, c.arrays(), { ...c.options(), baseline: c.named(arrays), points }),
  );
}
