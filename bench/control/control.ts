// What the adapter can do at best, from three plain kernels: what a figure of any library should be seen against.
import { hostArray, type Device, type HostArray, type Tensor } from "../../src/tensor/index.ts";
import type { ControlResult } from "../result.ts";
import { spread } from "../statistics.ts";
import copySource from "./copy.wgsl";
import fmaSource from "./fma.wgsl";
import tinySource from "./tiny.wgsl";

const FMA_THREADS = 16384;
const FMA_FLOPS = FMA_THREADS * 1024 * 8 * 2;
const COPY_FLOATS = 2 ** 22;
/** A span shorter than this says more about the clock than about the GPU. */
const LEAST_MS = 60;
const REPEATS = 5;

/** @throws Error when a kernel computes something else than it should */
export async function measureControl(device: Device): Promise<ControlResult> {
  const pairs = hostArray(Float32Array.from({ length: 2 * FMA_THREADS }, (_, i) => (i % 2 === 0 ? 1.25 : 0.5)));
  const numbers = hostArray(Float32Array.from({ length: COPY_FLOATS }, (_, i) => i));
  const [values, source] = [device.tensor(pairs), device.tensor(numbers)];
  const [copy, count] = [device.tensor(new Float32Array(COPY_FLOATS)), device.tensor([0], [1], "i32")];
  try {
    const fma = await Kernel.make(device, fmaSource, [values], FMA_THREADS / 64);
    const copier = await Kernel.make(device, copySource, [source, copy], COPY_FLOATS / 256);
    const tiny = await Kernel.make(device, tinySource, [count], 1);
    const fmaMs = await fma.millisecondsEach();
    const copyMs = await copier.millisecondsEach();
    const tinyMs = await tiny.millisecondsEach();
    const [fmaOut, copyOut, countOut] = await device.read([values, copy, count]);
    expectNear("multiply-add", fmaOut!, pairs);
    expectNear("copy", copyOut!, numbers);
    expectNear("dispatch", countOut!, hostArray([tiny.dispatched], [1], "i32"));
    return {
      flopsPerSecond: FMA_FLOPS / (fmaMs / 1e3),
      bytesPerSecond: (2 * 4 * COPY_FLOATS) / (copyMs / 1e3),
      microsecondsPerDispatch: tinyMs * 1e3,
    };
  } finally {
    [values, source, copy, count].forEach((tensor) => tensor.dispose());
  }
}

class Kernel {
  dispatched = 0;

  private constructor(
    private readonly device: Device,
    private readonly pipeline: GPUComputePipeline,
    private readonly group: GPUBindGroup,
    private readonly workgroups: number,
  ) {}

  static async make(device: Device, wgsl: string, tensors: readonly Tensor[], workgroups: number): Promise<Kernel> {
    const pipeline = await device.pipeline(wgsl, "control");
    const entries = tensors.map(({ allocation }, binding) => ({ binding, resource: { buffer: allocation.buffer } }));
    const group = device.gpu.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
    return new Kernel(device, pipeline, group, workgroups);
  }

  /** Time of one dispatch among many in a pass: the best of several spans that are long enough to be measured. */
  async millisecondsEach(): Promise<number> {
    let count = 1;
    while ((await this.time(count)) < LEAST_MS) count *= 2;
    const spans: number[] = [];
    for (let i = 0; i < REPEATS; i++) spans.push(await this.time(count));
    return spread(spans).min / count;
  }

  private async time(count: number): Promise<number> {
    const { gpu, limits } = this.device;
    const encoder = gpu.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(this.pipeline);
    pass.setBindGroup(0, this.group);
    const columns = Math.min(this.workgroups, limits.maxComputeWorkgroupsPerDimension);
    for (let i = 0; i < count; i++) pass.dispatchWorkgroups(columns, Math.ceil(this.workgroups / columns));
    pass.end();
    this.dispatched += count;
    const start = performance.now();
    gpu.queue.submit([encoder.finish()]);
    await gpu.queue.onSubmittedWorkDone();
    return performance.now() - start;
  }
}

function expectNear(what: string, result: HostArray, expected: HostArray): void {
  const at = expected.data.findIndex((v, i) => !(Math.abs(result.data[i]! - v) <= 1e-5 * Math.abs(v)));
  if (at >= 0) {
    throw new Error(`control kernel "${what}": element ${at} is ${result.data[at]}, expected ${expected.data[at]}`);
  }
}
