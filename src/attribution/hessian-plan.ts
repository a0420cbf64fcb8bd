// Which form of Integrated Hessians runs: chosen by planned operations, among those that fit into memory.
import { checkExampleAxis } from "./problem.ts";
import { ArgumentError, LimitError } from "../tensor/errors.ts";
import { formatBytes } from "../tensor/pool.ts";
import { is, type Node } from "../graph/node.ts";
import { dependents, reachable } from "../graph/trace.ts";
import { reshapePrimitive } from "../kernels/movement.ts";
import { broadcastPrimitive } from "../kernels/broadcast.ts";
import { gramNodes } from "./hessian-gram.ts";
import { hessianIntegrand } from "./hessian-graphs.ts";
import { batchAxis, boundarySize, type HessianForm } from "./hessian-parts.ts";
import type { PathPoints } from "./path-inputs.ts";
import type { Integrand, PathShape } from "./path-parts.ts";
import type { PathIntegral } from "./path.ts";
import { DEFAULT_MEMORY_BUDGET } from "./programs.ts";

/** Rows that are asked for, and the groups that they are, if they are not single features. */
export interface HessianRows {
  /** Numbers of features or groups, in order. */
  readonly ids: readonly number[];
  /** Group of every feature, -1 for none; absent if rows and columns are features. */
  readonly labels?: readonly number[];
  readonly groups?: number;
}

export interface HessianChoice extends HessianForm {
  readonly integrand: Integrand;
  /** Rows per run. */
  readonly rows: number;
}

export interface FormOptions {
  readonly form?: "hvp" | "gram";
  readonly tangents?: "rows" | "boundary";
}

/**
 * The form with the fewest planned operations. Where none takes all rows at once, they run in blocks.
 * @throws LimitError when not even one row at one node fits
 * @throws ArgumentError when the options ask for a form that the network does not have
 */
export async function chooseForm(
  path: PathIntegral,
  points: PathPoints,
  rows: HessianRows,
  options: FormOptions,
): Promise<HessianChoice> {
  const count = rows.ids.length;
  const forms = possibleForms(path.shape, rows).filter(
    ({ sum, tangents }) => sum === (options.form ?? sum) && tangents === (options.tangents ?? tangents),
  );
  if (forms.length === 0) {
    throw new ArgumentError(
      `form: this network and request cannot be summed as ${options.form ?? "hvp"} over ${options.tangents ?? "rows"}; leave form and tangents out`,
    );
  }
  const candidates: (HessianChoice & { readonly flops: number })[] = [];
  for (const form of forms) {
    const integrand = hessianIntegrand(path.shape, { ...form, rows: count, groups: rows.groups });
    const flops = await flopsIfItFits(path, points, integrand);
    if (flops !== undefined) candidates.push({ ...form, integrand, rows: count, flops });
  }
  const best = candidates.sort((a, b) => a.flops - b.flops)[0];
  if (best) return best;
  if (options.form !== "gram" && options.tangents !== "boundary") return inBlocks(path, points, rows);
  throw new LimitError(
    "form: what was asked for needs all rows at once, which do not fit; leave form and tangents out, or raise memoryBudget",
  );
}

async function flopsIfItFits(
  path: PathIntegral,
  points: PathPoints,
  integrand: Integrand,
): Promise<number | undefined> {
  try {
    return await plannedFlops(path, points, integrand);
  } catch (error) {
    if (error instanceof LimitError) return undefined;
    throw error;
  }
}

/** Operations that an integral would take; where it needs chunks, by the plans of two small ones. */
async function plannedFlops(path: PathIntegral, points: PathPoints, integrand: Integrand): Promise<number> {
  const whole = path.whole(points, integrand);
  if (whole) return whole.program.plan.flops;
  const { chunkPrograms, partsOf, planPath } = await import("./on-demand.ts");
  const { plan, programs } = planPath(path, points, integrand);
  const all = partsOf(programs).reduce((n, program) => n + program.plan.flops, 0);
  const once = all - programs.chunk.program.plan.flops;
  const chunk = (steps: number): number =>
    chunkPrograms(path, integrand, 1, steps, path.perExample(points)).chunk.program.plan.flops;
  return plan.groups * once + path.baselineCount * (chunk(1) + (points.steps - 1) * (chunk(2) - chunk(1)));
}

/** Halves the number of rows until they fit. */
async function inBlocks(path: PathIntegral, points: PathPoints, { ids, groups }: HessianRows): Promise<HessianChoice> {
  const { planPath } = await import("./on-demand.ts");
  const form = { sum: "hvp", tangents: "rows" } as const;
  for (let rows = Math.ceil(ids.length / 2); ; rows = Math.ceil(rows / 2)) {
    const integrand = hessianIntegrand(path.shape, { ...form, rows, groups });
    try {
      planPath(path, points, integrand);
      return { ...form, integrand, rows };
    } catch (error) {
      if (!(error instanceof LimitError) || rows === 1) throw error;
    }
  }
}

function possibleForms(shape: PathShape, { ids, labels, groups }: HessianRows): HessianForm[] {
  const rows = ids.length;
  const perExample = keepsBatch(shape);
  const gram = perExample && gramNodes(shape) !== undefined;
  const size = perExample ? boundarySize(shape) : Infinity;
  const forms: HessianForm[] = [{ sum: "hvp", tangents: "rows" }];
  if (size < rows) forms.push({ sum: "hvp", tangents: "boundary" });
  if (gram && size < rows) forms.push({ sum: "gram", tangents: "boundary" });
  // All pairs of rows are the whole matrix only if there is a row for every column, in their order, and no feature
  // without one.
  const inOrder = rows === (groups ?? sizeOfAll(shape)) && ids.every((id, i) => id === i);
  const square = inOrder && !labels?.includes(-1);
  if (gram && square) forms.push({ sum: "gram", tangents: "rows" });
  return forms;
}

const sizeOfAll = ({ problem }: PathShape): number => boundarySize({ problem, boundary: problem.ends });

/**
 * Whether the first axis of every value that depends on the attributed ones is that of the examples. Unit vectors and
 * Gram matrices are taken per example; values with another layout go through the general form.
 */
export function keepsBatch({ problem }: PathShape): boolean {
  const [batch = 1] = batchAxis(problem);
  if (batch === 1) return true;
  const nodes = reachable([problem.score]);
  const varying = dependents(nodes, problem.ends);
  return nodes.every((node) => !varying.has(node) || (node.shape[0] === batch && keepsFirst(node, varying)));
}

function keepsFirst(node: Node, varying: ReadonlySet<Node>): boolean {
  const own = node.inputs.filter((x) => varying.has(x));
  const { lowering } = node.primitive;
  if (own.length === 0) return true;
  if (is(node, broadcastPrimitive)) return own[0]!.shape.length === node.shape.length;
  if (lowering.kind === "view") {
    const { permutation, axes } = node.attrs as { permutation?: readonly number[]; axes?: readonly number[] };
    return is(node, reshapePrimitive) || ((permutation?.[0] ?? 0) === 0 && !axes?.includes(0));
  }
  // Matrix products with the examples along the first axis of the first operand, which no further one precedes;
  // convolutions likewise.
  const [first] = node.inputs;
  const leads = varying.has(first!) && first!.shape.length >= node.shape.length && node.attrs["ta"] !== true;
  return lowering.kind !== "kernel" || leads;
}

/**
 * @throws ArgumentError unless every attributed value has the examples along its first axis
 * @throws LimitError when the matrix itself is larger than the memory that the run may take
 */
export function checkSize({ problem, device, options }: PathIntegral, { ids, groups }: HessianRows): void {
  const [batch] = batchAxis(problem);
  if (batch !== undefined) checkExampleAxis(problem, batch);
  const columns = groups ?? sizeOfAll({ problem, boundary: [] });
  const bytes = 4 * (batch ?? 1) * ids.length * columns;
  const limit = Math.min(options.memoryBudget ?? DEFAULT_MEMORY_BUDGET, device.largestBuffer);
  if (bytes <= limit) return;
  throw new LimitError(
    `${ids.length} x ${columns} interactions of ${batch ?? 1} examples need ${formatBytes(bytes)} of ${formatBytes(limit)}; ` +
      `ask for some rows, or for groups of features (patches, tokens, columns), use fewer examples, or raise memoryBudget`,
  );
}
