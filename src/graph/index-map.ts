// Index arithmetic as WGSL text. A view says where an element comes from; fused kernels chain such maps, so that
// broadcasts, slices, transposes and pads cost no memory traffic.
import { numel, stridesOf, type Shape } from "../tensor/shape.ts";

/** Where an element was found: argument number, its index there, and a condition (WGSL bool) if not always. */
export interface Piece {
  readonly argument: number;
  readonly index: Index;
  readonly when?: string;
}

export interface IndexContext {
  /** Name of a u32 uniform holding `value`; equal keys share one slot. Keys name the role, so that texts are shared across shapes. */
  u32(key: string, value: number): string;
  /** Binds an expression to a name (once for equal text). */
  let(expression: string): string;
  /** The element of argument `argument` (an i32 or bool one, for gathers) at an index. */
  load(argument: number, index: Index): string;
}

/** An element's position in a shape: its flat offset, its coordinates, or both, each made only when asked for. */
export class Index {
  private readonly coordinates: (string | undefined)[];

  private constructor(
    readonly shape: Shape,
    private readonly context: IndexContext,
    private offset: string | undefined,
    coordinates: readonly (string | undefined)[],
  ) {
    this.coordinates = [...coordinates];
  }

  static ofFlat(shape: Shape, offset: string, context: IndexContext): Index {
    return new Index(shape, context, offset, []);
  }

  static ofAxes(shape: Shape, axes: readonly string[], context: IndexContext): Index {
    return new Index(shape, context, undefined, axes);
  }

  /** The same flat position seen in another shape of equal size. */
  reshaped(shape: Shape): Index {
    return new Index(shape, this.context, this.flat(), []);
  }

  /** Coordinate along one axis, a WGSL u32 expression. */
  axis(axis: number): string {
    const known = this.coordinates[axis];
    if (known !== undefined) return known;
    const made = this.delinearise(axis);
    this.coordinates[axis] = made;
    return made;
  }

  axes(): string[] {
    return this.shape.map((_, axis) => this.axis(axis));
  }

  /** Row-major offset, a WGSL u32 expression. */
  flat(): string {
    this.offset ??= this.linearise();
    return this.offset;
  }

  /** Equal keys mean equal positions (within one emitted kernel). */
  key(): string {
    return this.offset ?? this.coordinates.join();
  }

  private delinearise(axis: number): string {
    const extent = this.shape[axis]!;
    if (extent === 1) return "0u";
    const tag = this.shape.join("x");
    const stride = stridesOf(this.shape)[axis]!;
    const flat = this.flat();
    const quotient = stride === 1 ? flat : this.context.let(`${flat} / ${this.context.u32(`${tag}/${axis}`, stride)}`);
    const first = numel(this.shape.slice(0, axis)) === 1;
    return first ? quotient : this.context.let(`${quotient} % ${this.context.u32(`${tag}%${axis}`, extent)}`);
  }

  private linearise(): string {
    const tag = this.shape.join("x");
    const strides = stridesOf(this.shape);
    const terms = this.shape.flatMap((extent, axis) => {
      if (extent === 1) return [];
      const coordinate = this.axis(axis);
      if (coordinate === "0u") return [];
      const stride = strides[axis]!;
      return [stride === 1 ? coordinate : `${coordinate} * ${this.context.u32(`${tag}/${axis}`, stride)}`];
    });
    return terms.length === 0 ? "0u" : this.context.let(terms.join(" + "));
  }
}
