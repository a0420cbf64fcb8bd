import type { Device } from "./device.ts";
import type { DType } from "./dtype.ts";
import { ArgumentError } from "./errors.ts";
import type { HostArray } from "./host.ts";
import type { Allocation } from "./pool.ts";
import { formatShape, type Shape } from "./shape.ts";

/** Gives back the memory of tensors that nobody disposed of and nobody can reach any more. */
const forgotten = /* @__PURE__ */ new FinalizationRegistry<{ device: Device; allocation: Allocation }>(
  ({ device, allocation }) => device.release(allocation),
);

/**
 * An array on the device, row-major; made by `device.tensor(...)` or returned by a program. `dispose()`, or leaving the
 * block of a `using` declaration, gives its memory back at once; without either, the garbage collector does so later.
 */
export class Tensor {
  readonly device: Device;
  readonly shape: Shape;
  readonly dtype: DType;
  readonly #allocation: Allocation;
  #disposed = false;

  /** Takes over the allocation. */
  constructor(device: Device, shape: Shape, dtype: DType, allocation: Allocation) {
    this.device = device;
    this.shape = shape;
    this.dtype = dtype;
    this.#allocation = allocation;
    forgotten.register(this, { device, allocation }, this);
  }

  get disposed(): boolean {
    return this.#disposed;
  }

  /**
   * The memory behind this tensor. Hold on to the tensor, not to this, across an `await`.
   * @throws ArgumentError after `dispose()`
   * @throws DeviceLostError after the device was lost
   */
  get allocation(): Allocation {
    if (this.#disposed) {
      throw new ArgumentError(
        `this ${this.dtype} tensor of shape ${formatShape(this.shape)} was disposed; dispose of it after its last use`,
      );
    }
    this.device.assertAlive();
    return this.#allocation;
  }

  /**
   * The elements, copied to the host. To read several tensors, `device.read([...])` waits only once.
   * @throws ArgumentError after `dispose()`
   * @throws DeviceLostError when the device is lost
   */
  async read(): Promise<HostArray> {
    const [array] = await this.device.read([this]);
    return array as HostArray;
  }

  /** Gives the memory back; a second call does nothing. */
  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    forgotten.unregister(this);
    this.device.release(this.#allocation);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }
}
