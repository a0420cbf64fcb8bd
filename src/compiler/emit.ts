// Generates the WGSL of elementwise regions: whole kernels, and the prologues and epilogues of hand-written ones.
// Every extent and parameter is a uniform, so that equal structure gives equal text and thus one pipeline.
import { AumannError } from "../tensor/errors.ts";
import type { DType } from "../tensor/dtype.ts";
import { numel } from "../tensor/shape.ts";
import { Index, type IndexContext } from "../graph/index-map.ts";
import { fillPrimitive, iotaPrimitive } from "../graph/leaves.ts";
import { is, type Node } from "../graph/node.ts";
import { f32, type Uniform } from "../graph/primitive.ts";
import { cutOf, type Cut } from "./cut.ts";
import type { LaneRead } from "./lanes.ts";

const STORED_TYPE: Record<DType, string> = { f32: "f32", i32: "i32", bool: "u32" };
/** Stands for the component in code that is repeated for each of four lanes. */
const LANE = "\u00a7";
/** Stands for 0 or 1 in code that is repeated for each two lanes. */
const PAIR = "\u00b6";
const ZERO: Record<DType, string> = { f32: "0.0", i32: "0i", bool: "false" };

/** Bindings, uniforms and helper functions shared by all functions generated into one module. */
export class Emitter {
  readonly uniforms: Uniform[] = [];
  readonly helpers = new Set<string>();
  /** Buffers that are read and written four elements at a time. */
  readonly #wide = new Set<Node>();
  readonly #slots = new Map<string, string>();
  readonly #sources = new Map<Node, string>();

  /** @param storageOf the node whose buffer holds the elements of `node`, or undefined if `node` is computed here */
  constructor(readonly storageOf: (node: Node) => Node | undefined) {}

  /** Nodes whose buffers the generated code reads, in order of binding. */
  get reads(): Node[] {
    return [...this.#sources.keys()];
  }

  /** Type of a buffer's elements. */
  elementOf(node: Node): string {
    const type = STORED_TYPE[node.dtype];
    return this.#wide.has(node) ? `vec4<${type}>` : type;
  }

  widen(node: Node): void {
    this.#wide.add(node);
  }

  isWide(node: Node): boolean {
    return this.#wide.has(node);
  }

  sourceName(node: Node): string {
    let name = this.#sources.get(node);
    if (!name) this.#sources.set(node, (name = `b${this.#sources.size}`));
    return name;
  }

  /** WGSL expression of a u32 uniform; equal keys with equal values share a slot. */
  u32(key: string, value: number): string {
    const held = `${key}=${value}`;
    let slot = this.#slots.get(held);
    if (!slot) this.#slots.set(held, (slot = this.#place(value)));
    return slot;
  }

  f32(value: number): string {
    return `bitcast<f32>(${this.#place(f32(value))})`;
  }

  #place(value: Uniform): string {
    const at = this.uniforms.push(value) - 1;
    return `p[${at >> 2}].${"xyzw"[at & 3]!}`;
  }

  /** Declarations of the bindings and helpers that the generated functions use. */
  declarations(uniformBinding: number, firstBinding: number, outputs: readonly Node[]): string {
    const lines: string[] = [];
    if (this.uniforms.length > 0) {
      const length = Math.ceil(this.uniforms.length / 4);
      lines.push(`@group(0) @binding(${uniformBinding}) var<uniform> p: array<vec4<u32>, ${length}>;`);
    }
    let binding = firstBinding;
    for (const [node, name] of this.#sources) {
      lines.push(`@group(0) @binding(${binding++}) var<storage, read> ${name}: array<${this.elementOf(node)}>;`);
    }
    outputs.forEach((node, i) =>
      lines.push(`@group(0) @binding(${binding++}) var<storage, read_write> o${i}: array<${this.elementOf(node)}>;`),
    );
    return [...lines, ...this.helpers].join("\n");
  }
}

/** The body of one generated function: binds values to names, each computed once per position. */
export class Scope implements IndexContext {
  readonly lines: string[] = [];
  /** What differs between four lanes, and between two pairs of them; a copy for each goes behind `lines`. */
  readonly #perLane: string[] = [];
  readonly #perPair: (readonly [name: string, expression: string])[] = [];
  /** What is the same in both pairs, although its position is computed for each. */
  readonly #inBoth = new Set<string>();
  /** Flat position of the element that is computed, or of the first of those that share what they read. */
  readonly #position: string;
  readonly second: string;
  readonly #names = new Map<string, string>();
  readonly #values = new Map<string, string>();
  #viewed: Node | undefined;

  readonly #emitter: Emitter;
  readonly #given: ReadonlyMap<Node, string>;
  readonly #lanes: ReadonlyMap<Node, LaneRead> | undefined;

  /**
   * @param given values that exist already: the accumulator of the kernel whose epilogue this is
   * @param lanes how buffers are read by code that computes four elements, of which `i` is the first
   */
  constructor(emitter: Emitter, given: ReadonlyMap<Node, string> = new Map(), lanes?: ReadonlyMap<Node, LaneRead>) {
    this.#emitter = emitter;
    this.#given = given;
    this.#lanes = lanes;
    const pairs = lanes !== undefined && [...lanes.values()].includes("pair");
    this.#position = pairs ? this.let(`i + 2u * ${PAIR}u`) : "i";
    this.second = pairs ? ` + vec4<u32>(0u, 1u, 0u, 1u).${LANE}` : "";
  }

  u32(key: string, value: number): string {
    return this.#emitter.u32(key, value);
  }

  let(expression: string): string {
    let name = this.#names.get(expression);
    if (!name) {
      const perLane = expression.includes(LANE);
      const perPair = !perLane && expression.includes(PAIR);
      name = `v${this.#names.size}${perLane ? LANE : perPair ? `_${PAIR}` : ""}`;
      this.#names.set(expression, name);
      if (perPair) this.#perPair.push([name, expression]);
      else (perLane ? this.#perLane : this.lines).push(`let ${name} = ${expression};`);
    }
    return name;
  }

  load(argument: number, index: Index): string {
    return this.value(this.#viewed!.inputs[argument]!, index);
  }

  /** Name of the element of `node` at a position. */
  value(node: Node, at: Index): string {
    const given = this.#given.get(node);
    if (given) return given;
    const key = `${node.id}@${at.key()}`;
    let name = this.#values.get(key);
    if (!name) this.#values.set(key, (name = this.let(this.#expression(node, at))));
    return name;
  }

  #expression(node: Node, at: Index): string {
    const storage = this.#emitter.storageOf(node);
    if (storage) {
      const element = this.#read(storage, at);
      return node.dtype === "bool" ? `${element} != 0u` : element;
    }
    if (is(node, fillPrimitive)) return this.#literal(node.attrs.value, node.dtype);
    if (node.primitive.uid === iotaPrimitive.uid) return `i32(${at.flat()})`;
    const { lowering } = node.primitive;
    if (lowering.kind === "elementwise") {
      const args = node.inputs.map((x) => this.value(x, at));
      const params = lowering.params?.(node.attrs).map((v) => this.#emitter.f32(v)) ?? [];
      lowering.helpers?.forEach((h) => this.#emitter.helpers.add(h));
      return lowering.wgsl(args, params, node.attrs);
    }
    return this.#view(node, at);
  }

  #read(storage: Node, at: Index): string {
    const name = this.#emitter.sourceName(storage);
    const kind = this.#lanes?.get(storage);
    if (kind === "each") {
      this.#emitter.widen(storage);
      const four = this.let(`${name}[${at.flat()} >> 2u]`);
      this.#inBoth.add(four);
      return `${four}.${LANE}`;
    }
    // The prologue of the same kernel may read it four elements at a time.
    const [whole, component] = this.#emitter.isWide(storage) ? [" >> 2u", `[${at.flat()} & 3u]`] : ["", ""];
    const load = `${name}[${at.flat()}${whole}]${component}`;
    if (kind !== "same" || !this.second) return load;
    const one = this.let(load);
    this.#inBoth.add(one);
    return one;
  }

  #view(node: Node, at: Index): string {
    const { lowering } = node.primitive;
    if (lowering.kind !== "view") throw new AumannError(`internal: ${node.primitive.name} was to be stored before use`);
    const outer = this.#viewed;
    this.#viewed = node;
    const pieces = lowering.pieces(node, at, this);
    this.#viewed = outer;
    return pieces.reduceRight((rest, { argument, index, when }) => {
      const element = this.value(node.inputs[argument]!, index);
      return when === undefined ? element : this.let(`select(${rest}, ${element}, ${when})`);
    }, ZERO[node.dtype]);
  }

  /** 0 and 1 belong to the structure; other numbers travel as uniforms. */
  #literal(value: number, dtype: DType): string {
    if (dtype === "bool") return value === 0 ? "false" : "true";
    if (dtype === "i32") return `i32(${value})`;
    return Object.is(value, 0) || value === 1 ? value.toFixed(1) : this.#emitter.f32(value);
  }

  /** Stores the elements of several nodes at flat position `i` of `count`; of a slice, if that position belongs to it. */
  store(nodes: readonly Node[], count: number): void {
    nodes.forEach((node, target) => {
      const cut = numel(node.shape) === count ? undefined : cutOf(node)!;
      const { shape } = cut ? cut.source : node;
      const value = this.value(cut ? cut.source : node, Index.ofFlat(shape, "i", this));
      const stored = node.dtype === "bool" ? `select(0u, 1u, ${value})` : value;
      this.lines.push(cut ? this.#storeCut(cut, target, stored) : `o${target}[i] = ${stored};`);
    });
  }

  get isWide(): boolean {
    return this.#lanes !== undefined;
  }

  /** The element at flat position `i`; or the four from there on, as a vector. */
  loaded(node: Node): string {
    const value = this.value(node, Index.ofFlat(node.shape, this.#position, this));
    return this.isWide ? this.#fourOf(value, "f32") : value;
  }

  /** Ends the code that differs between lanes, and gives a vector of one value of each. */
  #fourOf(value: string, type: string): string {
    const lanes = [..."xyzw"];
    const forPair = (line: string, pair: number): string => line.replaceAll(PAIR, `${pair}`);
    const forLane = (line: string, lane: number): string => forPair(line, lane >> 1).replaceAll(LANE, lanes[lane]!);
    const [pairs, copies] = [this.#perPair.splice(0), this.#perLane.splice(0)];
    for (const [name, expression] of pairs) {
      const [first, second] = [0, 1].map((pair) => forPair(`let ${name} = `, pair)) as [string, string];
      this.lines.push(`${first}${forPair(expression, 0)};`);
      this.lines.push(`${second}${this.#inBoth.has(name) ? forPair(name, 0) : forPair(expression, 1)};`);
    }
    lanes.forEach((_, lane) => this.lines.push(...copies.map((line) => forLane(line, lane))));
    return `vec4<${type}>(${lanes.map((_, lane) => forLane(value, lane)).join(", ")})`;
  }

  /** Stores the elements of several nodes, all of one size, at the flat positions from `i` to `i + 3`. */
  storeLanes(nodes: readonly Node[]): void {
    const values = nodes.map((node) => {
      const value = this.value(node, Index.ofFlat(node.shape, this.#position, this));
      return node.dtype === "bool" ? `select(0u, 1u, ${value})` : value;
    });
    nodes.forEach((node, target) => {
      this.#emitter.widen(node);
      const four = this.#fourOf(values[target]!, STORED_TYPE[node.dtype]);
      this.lines.push(`o${target}[i >> 2u] = ${four};`);
    });
  }

  #storeCut({ extent, inner, start, length }: Cut, target: number, stored: string): string {
    const [size, first, kept] = [
      this.u32("cut axis", extent),
      this.u32(`cut ${target}`, start),
      this.u32("cut", length),
    ];
    const row = inner === 1 ? "i" : this.let(`i / ${this.u32("cut inner", inner)}`);
    // Below the start the u32 difference wraps to a huge number: one comparison guards both ends.
    const at = this.let(`${row} % ${size} - ${first}`);
    const flat = `${row} / ${size} * ${kept} + ${at}`;
    const position =
      inner === 1 ? flat : `(${flat}) * ${this.u32("cut inner", inner)} + i % ${this.u32("cut inner", inner)}`;
    return `if (${at} < ${kept}) { o${target}[${position}] = ${stored}; }`;
  }
}
