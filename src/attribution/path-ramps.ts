// Where a network goes on from the end of its affine prefix with a rectifier and a product, both can be computed for all nodes
// of a path at once (kernels/ramp.ts): rows of nodes then begin behind the product.
import { is, type Node } from "../graph/node.ts";
import { dependents, reachable } from "../graph/trace.ts";
import { sum } from "../kernels/broadcast.ts";
import { reluPrimitive } from "../kernels/choice.ts";
import { matmulPrimitive } from "../kernels/matmul.ts";
import { pathPoints, type BoundaryInputs, type PathShape } from "./path-parts.ts";

/** What a network makes of a boundary value z [B, H] first: relu(z) weights. */
interface Rectified {
  /** [B, O] */
  readonly product: Node;
  /** [H, O], or [O, H] if `transposed` */
  readonly weights: Node;
  readonly transposed: boolean;
}

/** What becomes of `z`, if that is all that is made of it, and the weights are the same for all nodes. */
function rectified({ ends, output, score, target }: PathShape["problem"], z: Node): Rectified | undefined {
  if (z.shape.length !== 2 || target.kind === "all") return undefined;
  const results = [output, score];
  const nodes = reachable(results);
  const reader = (x: Node): Node | undefined => {
    const readers = nodes.filter(({ inputs }) => inputs.includes(x));
    return readers.length === 1 && !results.includes(x) ? readers[0] : undefined;
  };
  const unit = reader(z);
  const product = unit && is(unit, reluPrimitive) ? reader(unit) : undefined;
  if (!product || !is(product, matmulPrimitive)) return undefined;
  const [x, weights] = product.inputs as [Node, Node];
  const fits = x === unit && weights.shape.length === 2 && !dependents(nodes, ends).has(weights);
  return fits && !product.attrs.ta ? { product, weights, transposed: product.attrs.tb } : undefined;
}

/** Operations that should be saved: fewer take less time than it takes to build the kernels. Of GPUs reckoned, not measured. */
const WORTHWHILE = { software: 8e6, hardware: 4e9 };

/**
 * Whether kernels for all nodes at once take less time than products with all nodes, forward and back. The costs of an element in
 * each part are proportional to what SwiftShader took: order of units, sweeps over units, sums over nodes.
 */
export function prefersRamp(
  { paths, steps, units, outputs }: Record<"paths" | "steps" | "units" | "outputs", number>,
  software: boolean,
): boolean {
  const products = steps * units * outputs;
  const ramps = 3 * units * units + 10 * units * outputs + 30 * steps * outputs;
  return products > ramps && 4 * paths * products >= WORTHWHILE[software ? "software" : "hardware"];
}

/** What to compute at once on paths from so many baselines with so many nodes, by boundary value. */
function rampsAt({ boundary, problem }: PathShape, baselines: number, steps: number, software: boolean) {
  return boundary.map((z) => {
    const found = rectified(problem, z);
    if (!found) return undefined;
    const [examples, units] = z.shape as [number, number];
    const extents = { paths: baselines * examples, steps, units, outputs: found.product.shape[1]! };
    return prefersRamp(extents, software) ? found : undefined;
  });
}

/** With so many nodes, most networks that will ever need the kernels need them. */
const MANY_STEPS = 256;

/** The shape with the kernels that {@link pathRamps} may need, which are loaded only for networks that are large enough. */
export async function withRamps(
  shape: PathShape,
  baselines: number,
  { software }: { readonly software: boolean },
): Promise<PathShape> {
  if (!rampsAt(shape, baselines, MANY_STEPS, software).some(Boolean)) return shape;
  const { rampProduct } = await import("./on-demand.ts");
  return { ...shape, ramps: { product: rampProduct, software } };
}

/** Rows of nodes, and the way back from them. */
export interface PathRamps {
  /** For each boundary value, in order: what the rest of the network depends on, and its rows [M * S, ...]. */
  readonly rows: ReadonlyMap<Node, Node>;
  /**
   * Sum over nodes of what the rows of boundary value `k` receive.
   * @param cotangents [M, S', ...], of the first S' nodes
   * @returns cotangent of the boundary value [M, ...]
   */
  pull(cotangents: Node, k: number): Node;
}

/** {@link pathPoints}, or what follows from them behind a rectifier and a product, where that is less work. */
export function pathRamps(shape: PathShape, ends: BoundaryInputs, nodes: Node, steps: number): PathRamps {
  const { ramps } = shape;
  const found = ramps ? rampsAt(shape, nodes.shape[0]!, steps, ramps.software) : [];
  const products = found.map(
    (ramp, k) => ramp && ramps!.product({ start: ends.starts[k]!, along: ends.along[k]!, nodes, ...ramp }),
  );
  const rows = [...pathPoints(shape, ends, nodes, steps)].map(([z, points], k): [Node, Node] =>
    products[k] ? [found[k]!.product, products[k].rows] : [z, points],
  );
  return { rows: new Map(rows), pull: (cotangents, k) => products[k]?.pull(cotangents) ?? sum(cotangents, 1) };
}
