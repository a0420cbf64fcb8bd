// Index arithmetic as WGSL text. A view says where an element comes from; fused kernels chain such maps, so that
// broadcasts, slices, transposes and pads cost no memory traffic.
import { numel, runsOf, type Shape } from "../tensor/shape.ts";

/** Where an element was found: argument number, its index there, and a condition (WGSL bool) if not always. */
export interface Piece {
  readonly argument: number;
  readonly index: Index;
  readonly when?: string;
}

export interface IndexContext {
  /** A u32 uniform holding `value`, as a WGSL expression; equal keys with equal values share one slot. */
  u32(key: string, value: number): string;
  /** Binds an expression to a name (once for equal text). */
  let(expression: string): string;
  /** What to add to the position of an element to get the one computed, where two share what they read; else empty. */
  readonly second: string;
  /** The element of argument `argument` (an i32 or bool one, for gathers) at an index. */
  load(argument: number, index: Index): string;
}

/** An element's position in a shape: its flat offset, its coordinates, or both, each made only when asked for. */
export class Index {
  readonly #context: IndexContext;
  readonly #coordinates: (string | undefined)[];
  #offset: string | undefined;

  private constructor(
    readonly shape: Shape,
    context: IndexContext,
    offset: string | undefined,
    coordinates: readonly string[],
  ) {
    this.#context = context;
    this.#offset = offset;
    this.#coordinates = [...coordinates];
  }

  static ofFlat(shape: Shape, offset: string, context: IndexContext): Index {
    return new Index(shape, context, offset, []);
  }

  static ofAxes(shape: Shape, axes: readonly string[], context: IndexContext): Index {
    return new Index(shape, context, undefined, axes);
  }

  /** The same flat position seen in another shape of equal size. */
  reshaped(shape: Shape): Index {
    return new Index(shape, this.#context, this.flat(), []);
  }

  /**
   * The position in `source`, a shape that broadcasts to this one, of the element that is repeated here. Neighbouring axes
   * that are all kept count as one: integer divisions cost more than anything else in an elementwise kernel.
   */
  unbroadcast(source: Shape): Index {
    const lead = this.shape.length - source.length;
    if (this.#offset === undefined) {
      const axes = source.map((extent, i) => (extent === 1 ? "0u" : this.axis(i + lead)));
      return Index.ofAxes(source, axes, this.#context);
    }
    const kept = source.flatMap((extent, i) => (extent === this.shape[i + lead] ? [i] : []));
    const runs = runsOf(kept).filter(({ start, end }) => numel(source.slice(start, end)) > 1);
    const terms = runs.map(({ start, end }) => [this.#run(start + lead, end + lead), end] as const);
    return Index.ofFlat(source, offsetIn(source, terms, this.#context), this.#context);
  }

  /** Coordinate along one axis, a WGSL u32 expression. */
  axis(axis: number): string {
    return (this.#coordinates[axis] ??= this.shape[axis] === 1 ? "0u" : this.#run(axis, axis + 1));
  }

  axes(): string[] {
    return this.shape.map((_, axis) => this.axis(axis));
  }

  /** Row-major offset, a WGSL u32 expression. */
  flat(): string {
    return (this.#offset ??= offsetIn(
      this.shape,
      this.axes().map((coordinate, axis) => [coordinate, axis + 1]),
      this.#context,
    ));
  }

  /** Equal keys mean equal positions (within one emitted kernel). */
  key(): string {
    return this.#offset ?? this.#coordinates.join();
  }

  /** Position within the axes [start, end), taken as one. */
  #run(start: number, end: number): string {
    const { shape } = this;
    const context = this.#context;
    const after = numel(shape.slice(end));
    const quotient = after === 1 ? this.flat() : context.let(`${this.flat()} / ${extent(shape, end, context)}`);
    if (numel(shape.slice(0, start)) === 1) return quotient;
    return context.let(
      `${quotient} % ${context.u32(`${shape.join("x")}[${start}:${end}]`, numel(shape.slice(start, end)))}`,
    );
  }
}

/** Number of elements behind the first `end` axes, as a uniform. */
const extent = (shape: Shape, end: number, context: IndexContext): string =>
  context.u32(`${shape.join("x")}[${end}:]`, numel(shape.slice(end)));

/** Sum of coordinates times their strides; each coordinate comes with the number of the axis behind it. */
function offsetIn(shape: Shape, terms: readonly (readonly [string, number])[], context: IndexContext): string {
  const products = terms.flatMap(([coordinate, end]) => {
    if (coordinate === "0u") return [];
    return numel(shape.slice(end)) === 1 ? coordinate : `${coordinate} * ${extent(shape, end, context)}`;
  });
  return products.length === 0 ? "0u" : context.let(products.join(" + "));
}
