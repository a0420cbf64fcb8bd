// Times single dispatches with timestamp queries.
import { ArgumentError } from "../tensor/errors.ts";
import type { Device } from "../tensor/device.ts";
import { BufferUsage } from "../tensor/pool.ts";
import type { Tensor } from "../tensor/tensor.ts";
import { Commands } from "./commands.ts";
import type { Executable } from "./executable.ts";

export interface DispatchTime {
  readonly label: string;
  /** Time on the device, in milliseconds. Browsers round timestamps to about 0.1 ms. */
  readonly milliseconds: number;
  readonly flops: number;
}

/** A query set holds at most 4096 timestamps, two for each dispatch. */
const PER_SET = 2048;
/** Values of GPUBufferUsage and GPUMapMode, which Node does not define; more of them in {@link BufferUsage}. */
const QUERY_RESOLVE = 512;
const MAP_MODE_READ = 1;

/**
 * Time of every dispatch of a program on its device: the best of `repetitions` runs (default 5).
 * @throws ArgumentError if the adapter has no timestamp queries
 * @throws ShapeError, DTypeError, ArgumentError if `inputs` are not what the program was compiled for
 */
export async function profile(
  program: Executable,
  inputs: readonly Tensor[],
  { repetitions = 5 }: { repetitions?: number } = {},
): Promise<DispatchTime[]> {
  await program.ready(true);
  const { device, recipe } = program;
  const { dispatches } = recipe;
  const commands = new Commands(device);
  const best = dispatches.map(() => Infinity);
  const results: Tensor[] = [];
  try {
    const { outputs, bound } = program.bind(commands, inputs);
    results.push(...outputs);
    for (let r = 0; r < repetitions; r++) {
      const times = await timeDispatches(device, dispatches.length, (pass, i) =>
        program.encodeDispatch(pass, i, bound),
      );
      times.forEach((t, i) => (best[i] = Math.min(best[i]!, t)));
    }
  } finally {
    commands.abandon();
    results.forEach((y) => y.dispose());
  }
  return dispatches.map(({ label, flops }, i) => ({ label, flops, milliseconds: best[i]! }));
}

/**
 * Runs `count` dispatches, each in a pass of its own, and returns their times in milliseconds.
 * @throws ArgumentError if the adapter has no timestamp queries
 */
export async function timeDispatches(
  device: Device,
  count: number,
  encode: (pass: GPUComputePassEncoder, dispatch: number) => void,
): Promise<number[]> {
  if (!device.features.timestampQuery) {
    throw new ArgumentError("profile: this adapter has no timestamp queries; time whole runs instead");
  }
  const times: number[] = [];
  for (let first = 0; first < count; first += PER_SET) {
    times.push(...(await timeSome(device, first, Math.min(PER_SET, count - first), encode)));
  }
  return times;
}

async function timeSome(
  { gpu }: Device,
  first: number,
  count: number,
  encode: (pass: GPUComputePassEncoder, dispatch: number) => void,
): Promise<number[]> {
  const size = 16 * count;
  const querySet = gpu.createQuerySet({ type: "timestamp", count: 2 * count });
  const resolved = gpu.createBuffer({ size, usage: QUERY_RESOLVE | BufferUsage.COPY_SRC });
  const staging = gpu.createBuffer({ size, usage: BufferUsage.MAP_READ | BufferUsage.COPY_DST });
  try {
    const encoder = gpu.createCommandEncoder();
    for (let i = 0; i < count; i++) {
      const timestampWrites = { querySet, beginningOfPassWriteIndex: 2 * i, endOfPassWriteIndex: 2 * i + 1 };
      const pass = encoder.beginComputePass({ timestampWrites });
      encode(pass, first + i);
      pass.end();
    }
    encoder.resolveQuerySet(querySet, 0, 2 * count, resolved, 0);
    encoder.copyBufferToBuffer(resolved, 0, staging, 0, size);
    gpu.queue.submit([encoder.finish()]);
    await staging.mapAsync(MAP_MODE_READ);
    const stamps = new BigUint64Array(staging.getMappedRange());
    return Array.from({ length: count }, (_, i) => Number(stamps[2 * i + 1]! - stamps[2 * i]!) / 1e6);
  } finally {
    [resolved, staging].forEach((buffer) => buffer.destroy());
    querySet.destroy();
  }
}
