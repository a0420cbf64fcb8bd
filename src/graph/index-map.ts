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
  /** A u32 uniform holding `value`, as a WGSL expression; equal keys with equal values share one slot. */
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

  /**
   * The position in `source`, a shape that broadcasts to this one, of the element that is repeated here. Neighbouring axes
   * that are all kept count as one: integer divisions cost more than anything else in an elementwise kernel.
   */
  unbroadcast(source: Shape): Index {
    const lead = this.shape.length - source.length;
    if (this.offset === undefined) {
      const axes = source.map((extent, i) => (extent === 1 ? "0u" : this.axis(i + lead)));
      return Index.ofAxes(source, axes, this.context);
    }
    const terms = keptRuns(source, this.shape.slice(lead)).map(({ start, end }) => {
      const [before, inside, after] = [
        numel(this.shape.slice(0, start + lead)),
        numel(source.slice(start, end)),
        numel(this.shape.slice(end + lead)),
      ];
      const tag = `${this.shape.join("x")}[${start + lead}:${end + lead}]`;
      const run =
        after === 1 ? this.offset! : this.context.let(`${this.offset!} / ${this.context.u32(`${tag}/`, after)}`);
      const at = before === 1 ? run : this.context.let(`${run} % ${this.context.u32(`${tag}%`, inside)}`);
      const stride = numel(source.slice(end));
      return stride === 1 ? at : this.context.let(`${at} * ${this.context.u32(`${tag}*`, stride)}`);
    });
    const offset = terms.length === 0 ? "0u" : terms.length === 1 ? terms[0]! : this.context.let(terms.join(" + "));
    return Index.ofFlat(source, offset, this.context);
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

/** Maximal runs of axes that both shapes have in full and that hold more than one element. */
function keptRuns(source: Shape, target: Shape): { start: number; end: number }[] {
  const runs: { start: number; end: number }[] = [];
  source.forEach((extent, axis) => {
    if (extent !== target[axis]) return;
    const last = runs.at(-1);
    if (last?.end === axis) last.end++;
    else runs.push({ start: axis, end: axis + 1 });
  });
  return runs.filter(({ start, end }) => numel(source.slice(start, end)) > 1);
}
