// How many nodes of a quadrature fit into one submit.
import type { Device } from "../tensor/device.ts";
import { LimitError } from "../tensor/errors.ts";
import { formatBytes } from "../tensor/pool.ts";
import { DEFAULT_MEMORY_BUDGET, limitsOf, type Cost } from "./programs.ts";

export interface ChunkPlan {
  /** Baselines that are integrated side by side, and how many such groups there are. */
  readonly baselinesPerGroup: number;
  readonly groups: number;
  readonly stepsPerChunk: number;
  readonly chunksPerGroup: number;
  /** Whether chunks would be larger if the budget were. */
  readonly memoryBound: boolean;
}

export interface ChunkRequest {
  readonly device: Device;
  readonly baselines: number;
  readonly steps: number;
  /** Default {@link DEFAULT_MEMORY_BUDGET}. */
  readonly budget: number | undefined;
  /** Plans a chunk of some baselines with some steps each, without running it. Called for one and two of each. */
  cost(baselines: number, steps: number): Cost;
}

/**
 * Chooses the chunk by planned bytes and operations: both grow linearly with the baselines and with the rows, which are
 * the steps of all baselines.
 * @throws LimitError if even one step from one baseline does not fit the budget
 */
export function planChunks({
  device,
  baselines,
  steps,
  budget = DEFAULT_MEMORY_BUDGET,
  cost,
}: ChunkRequest): ChunkPlan {
  const one = cost(1, 1);
  const twoSteps = steps > 1 ? cost(1, 2) : one;
  const twoBaselines = baselines > 1 ? cost(2, 1) : one;
  const limits = limitsOf(device, budget);
  for (const key of ["bytes", "largest"] as const) if (one[key] > limits[key]) throw tooLarge(one[key], limits[key]);
  /** How many units of a size fit, of which the first is `from` and each further one takes `slope`. */
  const fit = (key: keyof Cost, from: number, slope: number): number => {
    if (slope <= 0) return from <= limits[key] ? Infinity : 0;
    return Math.floor((limits[key] - from) / slope) + 1;
  };
  const perStep = (key: keyof Cost): number => Math.max(0, twoSteps[key] - one[key]);
  const largest = (...keys: readonly (keyof Cost)[]): { together: number; rows: number } => {
    const whole = keys.map((key) => {
      const perBaseline = Math.max(0, twoBaselines[key] - one[key]) + (steps - 1) * perStep(key);
      return fit(key, one[key] + (steps - 1) * perStep(key), perBaseline);
    });
    const together = Math.max(1, Math.min(baselines, ...whole));
    const rows = Math.max(1, Math.min(steps, ...keys.map((key) => fit(key, one[key], perStep(key)))));
    return { together, rows: Math.min(...whole) >= 1 ? steps : rows };
  };
  let { together, rows } = largest("bytes", "largest", "flops");
  const unbounded = largest("largest", "flops");
  let memoryBound = together * rows < unbounded.together * unbounded.rows;
  // Buffers come in size classes, so that bytes grow in steps: what was extrapolated is checked, and cut if need be.
  for (;;) {
    const plan = evenly(baselines, steps, together, rows);
    const { bytes } = cost(plan.baselinesPerGroup, plan.stepsPerChunk);
    if (bytes <= budget || plan.baselinesPerGroup * plan.stepsPerChunk === 1) return { ...plan, memoryBound };
    memoryBound = true;
    const cut = (count: number): number => Math.max(1, Math.min(count - 1, Math.floor((count * budget) / bytes)));
    if (plan.baselinesPerGroup > 1) together = cut(plan.baselinesPerGroup);
    else rows = cut(plan.stepsPerChunk);
  }
}

/** Chunks of even size: the last one is at most a few steps short. */
function evenly(baselines: number, steps: number, together: number, rows: number): Omit<ChunkPlan, "memoryBound"> {
  const groups = Math.ceil(baselines / together);
  const chunksPerGroup = Math.ceil(steps / rows);
  return {
    baselinesPerGroup: Math.ceil(baselines / groups),
    groups,
    stepsPerChunk: Math.ceil(steps / chunksPerGroup),
    chunksPerGroup,
  };
}

const tooLarge = (bytes: number, limit: number): LimitError =>
  new LimitError(
    `one step of this model needs ${formatBytes(bytes)} of ${formatBytes(limit)}; raise memoryBudget or use fewer examples`,
  );
