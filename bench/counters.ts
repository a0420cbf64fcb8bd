// Counts what any library asks of WebGPU, by wrapping the methods of its classes: nobody's own counters are trusted.

export interface Counts {
  dispatches: number;
  submits: number;
  readbacks: number;
  pipelines: number;
  /** Milliseconds in which one pipeline or more was waited for; those that block are not among them. */
  building: number;
  /** Bytes sent by writeBuffer, or written into buffers that were created mapped. */
  bytesUploaded: number;
  bytesRead: number;
}

const zero = (): Counts => ({
  dispatches: 0,
  submits: 0,
  readbacks: 0,
  pipelines: 0,
  building: 0,
  bytesUploaded: 0,
  bytesRead: 0,
});

/** What measuring needs of {@link GpuCounters}. */
export type Meter = Pick<GpuCounters, "memory" | "mark" | "since">;

export class GpuCounters implements Disposable {
  private readonly counts = zero();
  /** Bytes of the buffers that were created and not destroyed, and the most that this was since {@link mark}. */
  readonly memory = { live: 0, peak: 0 };
  private readonly builds = { pending: 0, since: 0 };
  private readonly sizes = new WeakMap<GPUBuffer, number>();
  private readonly restore: (() => void)[] = [];

  /** @param device any device of the runtime: devices opened later, by whomever, are counted too */
  constructor(device: GPUDevice) {
    this.wrapDevice(device);
    this.wrapQueue(device.queue);
    this.wrapBuffer(device.createBuffer({ size: 16, usage: 8 }));
    const pass = device.createCommandEncoder().beginComputePass();
    this.wrap(pass, "dispatchWorkgroups", () => this.counts.dispatches++);
    this.wrap(pass, "dispatchWorkgroupsIndirect", () => this.counts.dispatches++);
    pass.end();
  }

  /** Starts a stretch of work; {@link since} tells what happened in it. */
  mark(): Counts {
    this.memory.peak = this.memory.live;
    return { ...this.counts };
  }

  since(mark: Counts): Counts {
    const counts = zero();
    for (const name of Object.keys(counts) as (keyof Counts)[]) counts[name] = this.counts[name] - mark[name];
    return counts;
  }

  private wrapDevice(device: GPUDevice): void {
    this.wrap(device, "createComputePipeline", () => this.counts.pipelines++);
    this.wrap(device, "createComputePipelineAsync", (_args, pipeline) => {
      this.counts.pipelines++;
      if (this.builds.pending++ === 0) this.builds.since = performance.now();
      const built = (): void => {
        if (--this.builds.pending === 0) this.counts.building += performance.now() - this.builds.since;
      };
      (pipeline as Promise<unknown>).then(built, built);
    });
    this.wrap(device, "createBuffer", (args, buffer) => {
      const { size, mappedAtCreation } = args[0] as GPUBufferDescriptor;
      this.sizes.set(buffer as GPUBuffer, size);
      this.memory.live += size;
      this.memory.peak = Math.max(this.memory.peak, this.memory.live);
      if (mappedAtCreation) this.counts.bytesUploaded += size;
    });
  }

  private wrapQueue(queue: GPUQueue): void {
    this.wrap(queue, "submit", () => this.counts.submits++);
    this.wrap(queue, "writeBuffer", (args) => (this.counts.bytesUploaded += writtenBytes(args)));
  }

  private wrapBuffer(buffer: GPUBuffer): void {
    this.wrap(buffer, "mapAsync", ([mode, offset, size], _result, self) => {
      // GPUMapMode.READ; the other mode is a way to upload.
      if (mode !== 1) return;
      this.counts.readbacks++;
      this.counts.bytesRead += (size as number | undefined) ?? self.size - ((offset as number | undefined) ?? 0);
    });
    this.wrap(buffer, "destroy", (_args, _result, self) => {
      this.memory.live -= this.sizes.get(self) ?? 0;
      this.sizes.delete(self);
    });
    buffer.destroy();
  }

  /** Calls `seen` after each call of a method, on whichever object of the class of `example`. */
  private wrap<T extends object>(
    example: T,
    method: keyof T & string,
    seen: (args: readonly unknown[], result: unknown, self: T) => unknown,
  ): void {
    const prototype = Object.getPrototypeOf(example) as Record<string, (...args: unknown[]) => unknown>;
    const original = prototype[method]!;
    prototype[method] = function (this: T, ...args: unknown[]) {
      const result = original.apply(this, args);
      seen(args, result, this);
      return result;
    };
    this.restore.push(() => (prototype[method] = original));
  }

  /** Leaves the classes as they were. */
  [Symbol.dispose](): void {
    this.restore.reverse().forEach((restore) => restore());
  }
}

/** writeBuffer(buffer, bufferOffset, data, dataOffset?, size?): the last two count elements of a typed array, else bytes. */
export function writtenBytes(args: readonly unknown[]): number {
  const data = args[2] as ArrayBuffer | ArrayBufferView;
  const unit = (data as { BYTES_PER_ELEMENT?: number }).BYTES_PER_ELEMENT ?? 1;
  const [offset = 0, size] = [args[3] as number | undefined, args[4] as number | undefined];
  return size === undefined ? data.byteLength - offset * unit : size * unit;
}
