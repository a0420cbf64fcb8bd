import { describeAdapter, findAdapter, type AdapterInfo } from "./adapter.ts";
import { cached } from "./cached.ts";
import { assertChoice } from "./checks.ts";
import { BYTES_PER_ELEMENT, type DType } from "./dtype.ts";
import { Completions } from "./completion.ts";
import { inErrorScope, typedError } from "./error-scope.ts";
import { AumannError, DeviceLostError, LimitError } from "./errors.ts";
import { elementsOf, hostArray, type HostArray } from "./host.ts";
import { BufferPool, BufferUsage, formatBytes, type Allocation } from "./pool.ts";
import { compilePipeline } from "./shader.ts";
import { numel, type Shape } from "./shape.ts";
import { Tensor } from "./tensor.ts";

/** Limits that decide what a program may do; a device is asked for as much of each as its adapter has. */
const LIMITS = [
  "maxBufferSize",
  "maxStorageBufferBindingSize",
  "maxStorageBuffersPerShaderStage",
  "maxComputeWorkgroupStorageSize",
  "maxComputeInvocationsPerWorkgroup",
  "maxComputeWorkgroupSizeX",
  "maxComputeWorkgroupsPerDimension",
] as const;
export type DeviceLimits = Readonly<Record<(typeof LIMITS)[number], number>>;

/** Optional abilities, requested wherever the adapter has them. */
const FEATURES = { timestampQuery: "timestamp-query", shaderF16: "shader-f16", subgroups: "subgroups" } as const;
export type DeviceFeatures = Readonly<Record<keyof typeof FEATURES, boolean>>;

export interface DeviceOptions {
  /** WebGPU's entry point, when it is neither `navigator.gpu` nor to be made by the npm package `webgpu`. */
  gpu?: GPU;
  /** An adapter chosen by the caller. */
  adapter?: GPUAdapter;
  /** A device shared with other code; `destroy()` then frees what was allocated here, and leaves the device alive. */
  device?: GPUDevice;
  powerPreference?: GPUPowerPreference;
  /**
   * Which adapters the kernels of programs suit: default this one. Others run here as well, to be saved for the machines that
   * they are for: within WebGPU's default limits, and without optional features.
   */
  kernels?: "hardware" | "software";
  /** Most bytes of released memory kept for reuse; 512 MiB by default. */
  poolBytes?: number;
}

const DEFAULT_POOL_BYTES = 512 * 2 ** 20;

/** What a device came from, kept as long as the device: Dawn in Node ends a device whose origin is collected. */
const origins = /* @__PURE__ */ new WeakMap<GPUDevice, { gpu: GPU | undefined; adapter: GPUAdapter }>();

/**
 * Opens a WebGPU device: in browsers and workers their own, in Node that of the npm package `webgpu`.
 * @throws NoAdapterError when there is none, in one sentence that says what to install
 */
export async function openDevice(options: DeviceOptions = {}): Promise<Device> {
  const { gpu, powerPreference, kernels, poolBytes = DEFAULT_POOL_BYTES } = options;
  assertChoice("kernels", kernels, "hardware", "software");
  if (options.device) return new Device(options.device, { poolBytes, kernels, shared: true });
  const found = options.adapter
    ? { gpu, adapter: options.adapter }
    : await findAdapter(gpu, powerPreference ? { powerPreference } : {});
  const { adapter } = found;
  const device = await adapter.requestDevice({
    ...(!kernels && {
      requiredLimits: Object.fromEntries(LIMITS.map((name) => [name, adapter.limits[name]])),
      requiredFeatures: Object.values(FEATURES).filter((name) => adapter.features.has(name)),
    }),
  });
  origins.set(device, found);
  return new Device(device, { poolBytes, kernels, shared: false });
}

/** A GPU, the memory taken from it, and the kernels compiled for it. Made by `openDevice`. */
export class Device {
  readonly gpu: GPUDevice;
  readonly info: AdapterInfo;
  readonly limits: DeviceLimits;
  readonly features: DeviceFeatures;
  /** Work done since the device was opened; whoever encodes a pass adds its dispatches. */
  readonly counters = { submits: 0, dispatches: 0, readbacks: 0, pipelines: 0, bytesUploaded: 0, bytesRead: 0 };
  readonly #storage: BufferPool;
  readonly #staging: BufferPool;
  readonly #pipelines = new Map<string, Promise<GPUComputePipeline>>();
  readonly #shared: boolean;
  /** Only where asking helps. */
  readonly #completions: Completions | undefined;
  #dispatchesRead = 0;
  #lostBecause: string | undefined;
  #fault: AumannError | undefined;

  /** @internal Use `openDevice`. */
  constructor(gpu: GPUDevice, options: Pick<DeviceOptions, "kernels"> & { poolBytes: number; shared: boolean }) {
    const { kernels } = options;
    this.gpu = gpu;
    this.info = { ...describeAdapter(gpu.adapterInfo), ...(kernels && { software: kernels === "software" }) };
    this.limits = Object.fromEntries(LIMITS.map((name) => [name, gpu.limits[name]])) as DeviceLimits;
    this.features = Object.fromEntries(
      Object.entries(FEATURES).map(([name, feature]) => [name, !kernels && gpu.features.has(feature)]),
    ) as DeviceFeatures;
    const { STORAGE, UNIFORM, COPY_SRC, COPY_DST, MAP_READ } = BufferUsage;
    this.#storage = new BufferPool(gpu, STORAGE | UNIFORM | COPY_SRC | COPY_DST, options.poolBytes);
    this.#staging = new BufferPool(gpu, MAP_READ | COPY_DST, options.poolBytes / 8);
    this.#shared = options.shared;
    if (/browser|worker/.test(this.info.runtime)) this.#completions = new Completions(gpu);
    void gpu.lost.then(({ reason, message }) => (this.#lostBecause ??= message || reason));
    gpu.addEventListener("uncapturederror", (event) => {
      event.preventDefault();
      this.#fault ??= typedError("a command", event.error);
    });
  }

  /** Bytes of tensors and scratch handed out, bytes idle in the pool, and the highest `live` since `resetPeak()`. */
  get memory(): { readonly live: number; readonly pooled: number; readonly peak: number } {
    return { ...this.#storage.memory };
  }

  resetPeak(): void {
    this.#storage.memory.peak = this.#storage.memory.live;
  }

  /** Frees the memory that is kept for reuse. */
  trim(): void {
    this.#storage.trim();
    this.#staging.trim();
  }

  get lost(): boolean {
    return this.#lostBecause !== undefined;
  }

  /** @throws DeviceLostError once the device is gone */
  assertAlive(): void {
    if (this.#lostBecause === undefined) return;
    throw new DeviceLostError(
      `the WebGPU device is lost (${this.#lostBecause}); open a new one with openDevice() and upload again`,
    );
  }

  /**
   * Uploads an array.
   * @param data row-major elements, or an array that `read()` returned
   * @param shape defaults to the array's own shape, or to `[data.length]`
   * @param dtype defaults to the array's own type, or to `f32`
   * @throws ShapeError when the number of elements is not that of the shape
   * @throws LimitError when it does not fit one buffer of this adapter
   */
  tensor(data: HostArray | ArrayLike<number>, shape?: Shape, dtype?: DType): Tensor {
    const array =
      "dtype" in data
        ? hostArray(data.data, shape ?? data.shape, dtype ?? data.dtype)
        : hostArray(data, shape ?? [data.length], dtype);
    const allocation = this.allocate(array.data.byteLength);
    this.gpu.queue.writeBuffer(allocation.buffer, 0, array.data as Float32Array<ArrayBuffer>);
    this.counters.bytesUploaded += array.data.byteLength;
    return new Tensor(this, array.shape, array.dtype, allocation);
  }

  /** Bytes of the largest buffer that a kernel can bind. */
  get largestBuffer(): number {
    return Math.min(this.limits.maxBufferSize, this.limits.maxStorageBufferBindingSize);
  }

  /**
   * Storage memory of at least `bytes`, holding whatever was there before; `release` it after use.
   * @throws LimitError when one binding of this adapter cannot be that large
   */
  allocate(bytes: number, label?: string): Allocation {
    this.assertAlive();
    // Buffers come in multiples of 16 bytes; some adapters' limits do not.
    const limit = this.largestBuffer - (this.largestBuffer % 16);
    if (bytes > limit) {
      throw new LimitError(
        `${label ?? "a tensor"} needs ${formatBytes(bytes)} in one buffer, and this adapter binds at most ` +
          `${formatBytes(limit)}; use a smaller batch, or split the array`,
      );
    }
    return this.#storage.take(bytes, limit, label);
  }

  /** Gives memory back for reuse; the commands already submitted still find their data. */
  release(allocation: Allocation): void {
    // The buffers of a lost device are gone already.
    if (!this.lost) this.#storage.give(allocation);
  }

  /**
   * A compute pipeline, compiled once per WGSL text: entry point `main`, automatic layout.
   * @throws ShaderError with the compiler's messages and the lines they point at
   */
  pipeline(wgsl: string, label: string): Promise<GPUComputePipeline> {
    this.assertAlive();
    return cached(this.#pipelines, wgsl, () => {
      this.counters.pipelines++;
      return compilePipeline(this.gpu, wgsl, label);
    });
  }

  /** Whether {@link pipeline} was asked for this text before. */
  knows(wgsl: string): boolean {
    return this.#pipelines.has(wgsl);
  }

  submit(encoder: GPUCommandEncoder): void {
    this.assertAlive();
    this.gpu.queue.submit([encoder.finish()]);
    this.counters.submits++;
  }

  /** Copies tensors to the host in their order: one submit and one wait for all of them. */
  async read(tensors: readonly Tensor[]): Promise<HostArray[]> {
    const encoder = this.gpu.createCommandEncoder({ label: "read" });
    const finish = this.encodeRead(encoder, tensors);
    this.submit(encoder);
    return await finish();
  }

  /**
   * Adds copies of tensors to an encoder that also computes them. Submit the encoder, then call what this returns, once,
   * to wait for the elements.
   */
  encodeRead(encoder: GPUCommandEncoder, tensors: readonly Tensor[]): () => Promise<HostArray[]> {
    this.assertAlive();
    let total = 0;
    const parts = tensors.map(({ shape, dtype, allocation: { buffer } }) => {
      const start = total;
      total += numel(shape) * BYTES_PER_ELEMENT;
      return { shape, dtype, buffer, start, end: total };
    });
    if (total > this.limits.maxBufferSize) {
      const limit = formatBytes(this.limits.maxBufferSize);
      throw new LimitError(`reading ${formatBytes(total)} at once passes this adapter's ${limit}; read fewer tensors`);
    }
    const staging = this.#staging.take(total, this.limits.maxBufferSize, "read");
    for (const { buffer, start, end } of parts)
      if (end > start) encoder.copyBufferToBuffer(buffer, 0, staging.buffer, start, end - start);
    return () =>
      this.#whileMapped(staging, total, (bytes) =>
        parts.map(({ shape, dtype, start, end }) => ({
          shape,
          dtype,
          data: elementsOf(bytes.slice(start, end), dtype),
        })),
      );
  }

  /**
   * Runs WebGPU calls and turns what goes wrong in them into errors of this package. Error scopes are a stack: blocks of
   * synchronous work may run concurrently, blocks that await must not be interleaved.
   * @param what names the work in the message
   * @throws ShaderError for a command that validation refuses
   * @throws OutOfMemoryError when the device has no memory left
   */
  async withErrorScope<T>(what: string, work: () => T | Promise<T>): Promise<T> {
    this.assertAlive();
    const { settled, error } = await inErrorScope(this.gpu, work);
    this.assertAlive();
    // What WebGPU refused is the likelier reason for whatever the work itself threw afterwards.
    if (error) throw typedError(what, error, "thrown" in settled ? settled.thrown : undefined);
    if ("thrown" in settled) throw settled.thrown;
    return settled.value;
  }

  /** Frees all memory and ends the device; what is used afterwards throws DeviceLostError. */
  destroy(): void {
    if (this.lost) return;
    this.#lostBecause = "destroy() was called";
    this.#storage.destroy();
    this.#staging.destroy();
    this.#pipelines.clear();
    if (!this.#shared) this.gpu.destroy();
  }

  /** What `copy` takes from the mapped bytes, once they are there. */
  async #whileMapped<T>(staging: Allocation, size: number, copy: (bytes: ArrayBuffer) => T): Promise<T> {
    const { dispatches } = this.counters;
    const kind = `${dispatches - this.#dispatchesRead}/${size}`;
    this.#dispatchesRead = dispatches;
    try {
      // GPUMapMode.READ, a global that Node lacks.
      const mapped = staging.buffer.mapAsync(1);
      await (this.#completions ? this.#completions.wait(kind, mapped) : mapped);
    } catch (cause) {
      this.assertAlive();
      this.#throwFault();
      throw new AumannError("the device could not return results", { cause });
    }
    this.counters.readbacks++;
    this.counters.bytesRead += size;
    try {
      return copy(staging.buffer.getMappedRange(0, size));
    } finally {
      staging.buffer.unmap();
      this.#staging.give(staging);
      this.#throwFault();
    }
  }

  /** An error that no scope caught makes the results unreliable, so that the next read reports it. */
  #throwFault(): void {
    const fault = this.#fault;
    this.#fault = undefined;
    if (fault !== undefined) throw fault;
  }
}
