// One command buffer: many programs can be encoded into it, so that iterative work needs few submits.
import type { Device } from "../tensor/device.ts";
import type { HostArray } from "../tensor/host.ts";
import type { Allocation } from "../tensor/pool.ts";
import type { Tensor } from "../tensor/tensor.ts";

/**
 * Collects the dispatches of programs into one compute pass and one submit. Scratch memory goes back to the pool at the
 * submit, not before: uploads to a reused buffer would otherwise overtake the dispatches that still need it.
 */
export class Commands {
  readonly #encoder: GPUCommandEncoder;
  #open: GPUComputePassEncoder | undefined;
  readonly #scratch: Allocation[] = [];
  /** Scratch memory that later programs in the same command buffer may use: the device runs them in order. */
  #idle: Allocation[] = [];

  constructor(readonly device: Device) {
    device.assertAlive();
    this.#encoder = device.gpu.createCommandEncoder();
  }

  get pass(): GPUComputePassEncoder {
    return (this.#open ??= this.#encoder.beginComputePass());
  }

  /** Scratch memory for the dispatches of one program, which hands it on by {@link recycle}. */
  takeScratch(bytes: number): Allocation {
    const fitting = this.#idle.filter((a) => a.bytes >= bytes).sort((a, b) => a.bytes - b.bytes)[0];
    if (!fitting) return this.take(bytes, "scratch");
    this.#idle = this.#idle.filter((a) => a !== fitting);
    return fitting;
  }

  recycle(allocations: readonly Allocation[]): void {
    this.#idle.push(...allocations);
  }

  /** Memory that is needed until the submit. */
  take(bytes: number, label: string): Allocation {
    const allocation = this.device.allocate(bytes, label);
    this.#scratch.push(allocation);
    return allocation;
  }

  /** Ends the pass, submits everything once and frees the scratch memory. */
  submit(): void {
    this.#finish(() => this.device.submit(this.#encoder));
  }

  /** Submits, with copies of `tensors` to the host in the same command buffer: one submit, one wait. */
  async submitAndRead(tensors: readonly Tensor[]): Promise<HostArray[]> {
    let result: () => Promise<HostArray[]> = () => Promise.resolve([]);
    this.#finish(() => {
      result = this.device.encodeRead(this.#encoder, tensors);
      this.device.submit(this.#encoder);
    });
    return result();
  }

  /** Frees the scratch memory without running anything: for work that failed half-way. */
  abandon(): void {
    this.#finish(() => undefined);
  }

  #finish(send: () => void): void {
    this.#open?.end();
    this.#open = undefined;
    try {
      send();
    } finally {
      this.#scratch.splice(0).forEach((allocation) => this.device.release(allocation));
    }
  }
}
