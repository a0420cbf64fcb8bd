import { ArgumentError, OutOfMemoryError } from "./errors.ts";

/** Values of GPUBufferUsage, written down because Node has no such global. */
export const BufferUsage = { MAP_READ: 1, COPY_SRC: 4, COPY_DST: 8, UNIFORM: 64, STORAGE: 128 } as const;

/** A piece of device memory. Its content is whatever its last owner left there. */
export interface Allocation {
  readonly buffer: GPUBuffer;
  /** Size of the buffer: what was asked for, rounded up to a size class. */
  readonly bytes: number;
  /** Distinct for every hand-out, so that a cached bind group can tell whether its buffer is still the same one. */
  readonly id: number;
}

/**
 * Buffers of one usage, kept for reuse after their release. Commands run in the order of submission, so a buffer can be
 * handed out again while work on it is still queued.
 */
export class BufferPool {
  /** Bytes handed out, bytes waiting for reuse, and the most that was ever handed out since `resetPeak`. */
  readonly memory = { live: 0, pooled: 0, peak: 0 };
  readonly #gpu: GPUDevice;
  readonly #usage: GPUBufferUsageFlags;
  readonly #idleBound: number;
  readonly #live = new Map<number, Allocation>();
  /** Oldest first: that is the order in which the bound drives buffers out. */
  readonly #idle: GPUBuffer[] = [];
  readonly #made = new WeakMap<GPUBuffer, number>();
  #nextId = 1;

  constructor(gpu: GPUDevice, usage: GPUBufferUsageFlags, idleBound: number) {
    this.#gpu = gpu;
    this.#usage = usage;
    this.#idleBound = idleBound;
  }

  /** A buffer of at least `bytes`; never larger than `limit`, which the caller has compared with `bytes`. */
  take(bytes: number, limit: number, label?: string): Allocation {
    const size = Math.min(sizeClass(bytes), limit - (limit % 16));
    // The one that was made first: equal work then gets equal buffers each time, and finds its bind groups again.
    const fitting = this.#idle.filter((buffer) => buffer.size === size);
    const reused = fitting.sort((a, b) => this.#made.get(a)! - this.#made.get(b)!)[0];
    if (reused) {
      this.#idle.splice(this.#idle.indexOf(reused), 1);
      this.memory.pooled -= size;
    }
    const allocation = { buffer: reused ?? this.#create(size, label), bytes: size, id: this.#nextId++ };
    this.#live.set(allocation.id, allocation);
    this.memory.live += size;
    this.memory.peak = Math.max(this.memory.peak, this.memory.live);
    return allocation;
  }

  /** @throws ArgumentError when it was given back before: by then it may belong to someone else */
  give(allocation: Allocation): void {
    if (!this.#live.delete(allocation.id)) {
      throw new ArgumentError(
        `allocation ${allocation.id} is not live: it was released before, or is of another device`,
      );
    }
    this.memory.live -= allocation.bytes;
    this.#idle.push(allocation.buffer);
    this.memory.pooled += allocation.bytes;
    this.#shrinkTo(this.#idleBound);
  }

  /** Frees every buffer that nobody uses. */
  trim(): void {
    this.#shrinkTo(0);
  }

  /** Frees everything, in use or not. */
  destroy(): void {
    this.trim();
    for (const { buffer } of this.#live.values()) buffer.destroy();
    this.#live.clear();
    this.memory.live = 0;
  }

  #create(size: number, label: string | undefined): GPUBuffer {
    try {
      const buffer = this.#gpu.createBuffer({ size, usage: this.#usage, label });
      this.#made.set(buffer, this.#nextId);
      return buffer;
    } catch (cause) {
      throw new OutOfMemoryError(`the device could not provide ${formatBytes(size)}; dispose of what is not needed`, {
        cause,
      });
    }
  }

  #shrinkTo(bound: number): void {
    while (this.memory.pooled > bound) {
      const oldest = this.#idle.shift();
      if (oldest === undefined) return;
      this.memory.pooled -= oldest.size;
      oldest.destroy();
    }
  }
}

/**
 * Rounds up to a quarter of a power of two (at least 16 bytes, always a multiple of 16): few distinct sizes, so that
 * released buffers fit later requests, for at most a fifth of unused space.
 */
export function sizeClass(bytes: number): number {
  const power = 2 ** Math.floor(Math.log2(Math.max(bytes, 16)));
  const step = Math.max(16, power / 4);
  return Math.max(16, Math.ceil(bytes / step) * step);
}

/** `1.5 MiB`, as sizes appear in messages. */
export function formatBytes(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB"];
  const unit = Math.min(units.length - 1, Math.floor(Math.log2(Math.max(bytes, 1)) / 10));
  return `${(bytes / 1024 ** unit).toFixed(unit === 0 ? 0 : 1)} ${units[unit]}`;
}
