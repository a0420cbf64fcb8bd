// One class per kind of mistake, so that callers can tell them apart. A message says what was given, what was expected
// and what to do about it.

/** Base of every error this package throws on purpose. */
export class AumannError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    // Spelled out by each subclass: minifiers rename classes, and `constructor.name` with them.
    this.name = "AumannError";
  }
}

/** Shapes that do not fit an operation or each other. */
export class ShapeError extends AumannError {
  override name = "ShapeError";
}

/** An element type that an operation does not take. */
export class DTypeError extends AumannError {
  override name = "DTypeError";
}

/** An argument outside what a function accepts, a disposed tensor included. */
export class ArgumentError extends AumannError {
  override name = "ArgumentError";
}

/** NaN or infinity where finite numbers were expected. */
export class NumericError extends AumannError {
  override name = "NumericError";
}

/** More than the adapter's limits allow. */
export class LimitError extends AumannError {
  override name = "LimitError";
}

/** The device could not provide the memory. */
export class OutOfMemoryError extends AumannError {
  override name = "OutOfMemoryError";
}

/** There is no WebGPU, or no adapter, on this machine. */
export class NoAdapterError extends AumannError {
  override name = "NoAdapterError";
}

/** The device is gone: destroyed, reset by a watchdog, or unplugged. */
export class DeviceLostError extends AumannError {
  override name = "DeviceLostError";
}

/** WGSL that does not compile, or a command that WebGPU's validation refuses. */
export class ShaderError extends AumannError {
  override name = "ShaderError";
}

/** A file or a message that is not in the expected format. */
export class FormatError extends AumannError {
  override name = "FormatError";
}

/** A derivative rule that is missing or does not exist. */
export class DerivativeError extends AumannError {
  override name = "DerivativeError";
}
