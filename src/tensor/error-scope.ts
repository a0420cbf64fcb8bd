// WebGPU reports most mistakes afterwards, to the innermost open error scope.
import { AumannError, OutOfMemoryError, ShaderError } from "./errors.ts";

/** How work ended. */
type Settled<T> = { value: T } | { thrown: unknown };

/** Runs work and collects what WebGPU has to say about it. A lost device says nothing. */
export async function inErrorScope<T>(
  gpu: GPUDevice,
  work: () => T | Promise<T>,
): Promise<{ settled: Settled<T>; error: GPUError | null }> {
  const filters = ["validation", "out-of-memory", "internal"] as const;
  filters.forEach((filter) => gpu.pushErrorScope(filter));
  let settled: Settled<T>;
  try {
    const value = work();
    // Synchronous work is settled at once, so that its error scopes close in the same turn.
    settled = { value: value instanceof Promise ? await value : value };
  } catch (thrown) {
    settled = { thrown };
  }
  const errors = await Promise.all(filters.map(() => gpu.popErrorScope())).catch(() => []);
  return { settled, error: errors.find((candidate) => candidate !== null) ?? null };
}

/** What WebGPU reported about `what`, as an error of this package. */
export function typedError(what: string, error: GPUError, cause?: unknown): AumannError {
  const kind = (Object.getPrototypeOf(error) as object | null)?.constructor.name;
  if (kind === "GPUOutOfMemoryError") {
    const advice = "dispose of tensors, or use a smaller batch";
    return new OutOfMemoryError(`${what}: the device is out of memory; ${advice}`, { cause });
  }
  if (kind === "GPUValidationError")
    return new ShaderError(`${what} was refused by WebGPU: ${error.message}`, { cause });
  return new AumannError(`${what} failed inside the driver: ${error.message}`, { cause });
}
