// What a backward pass needs of a forward pass, in few bytes. The derivatives of rectifiers and maxima only compare: one bit,
// or the number of a window's element, replaces a value that would stay in memory for that comparison alone.
import { cached } from "../tensor/cached.ts";
import { Node } from "../graph/node.ts";
import { reachable } from "../graph/trace.ts";
import { bitsOf, pack, packedBytes, unpack } from "../kernels/bits.ts";
import { reshape } from "../kernels/movement.ts";
import type { Group } from "./fuse.ts";
import { bytesOf } from "./plan.ts";
import { base, isBound, isLeaf, Regions } from "./regions.ts";

/** So many dispatches must lie between two reads for the memory in between to be worth one more dispatch. */
const APART = 2;

/**
 * The same outputs, with comparisons and positions of maxima packed as soon as they can be computed, where that frees a buffer
 * earlier. What reads them later unpacks them in place. Each costs a dispatch; results are the same to the bit.
 * @param groups the dispatches that compute `outputs` otherwise
 */
export function packSaved(outputs: readonly Node[], groups: readonly Group[]): readonly Node[] {
  const schedule = new Schedule(outputs, groups);
  const late = schedule.lateUsers();
  const saved = schedule.worthPacking(late);
  return saved.length === 0 ? outputs : withPacked(outputs, schedule, new Map(saved.map((y) => [y, late.get(y)!])));
}

/** First and last dispatch that reads a buffer, or that computes a value in place. */
interface Span {
  readonly first: number;
  readonly last: number;
}

const NEVER: Span = { first: Infinity, last: -1 };

/** Which dispatch makes and reads what. */
class Schedule {
  readonly nodes: readonly Node[];
  /** Number of the dispatch that makes a stored node. */
  readonly #made: ReadonlyMap<Node, number>;
  readonly #kept: ReadonlySet<Node>;
  readonly #regions: Regions;

  constructor(outputs: readonly Node[], groups: readonly Group[]) {
    this.nodes = reachable(outputs);
    this.#made = new Map(groups.flatMap(({ members }, t) => [...members].map((node) => [node, t] as const)));
    this.#kept = new Set(outputs.map(base));
    this.#regions = new Regions(new Set([...this.#made.keys(), ...this.nodes.filter(isBound)]));
  }

  /** What is read or computed for an operand: the node whose buffer holds it, else itself. */
  source(operand: Node): Node {
    return this.#regions.storageOf(operand) ?? operand;
  }

  /** The buffers that hold what a value is computed from. */
  buffersOf(node: Node): Node[] {
    return this.#made.has(node) ? [node] : this.#regions.reads(node).map((read) => read.node);
  }

  /** Users of each value that can be packed, if they run long after it can be computed. */
  lateUsers(): Map<Node, Set<Node>> {
    const spans = this.#spans(() => false);
    const late = new Map<Node, Set<Node>>();
    for (const [user, source] of this.#uses()) {
      // Of a comparison of comparisons, only the result is packed.
      if (bitsOf(source) === undefined || bitsOf(user) === 1) continue;
      if (this.#spanOf(user, spans).first <= this.#ready(source) + APART) continue;
      const users = late.get(source);
      if (users) users.add(user);
      else late.set(source, new Set([user]));
    }
    return late;
  }

  /** Those of the values that alone keep buffers, of more bytes than they take, for their late users. */
  worthPacking(late: ReadonlyMap<Node, ReadonlySet<Node>>): Node[] {
    const spans = this.#spans(() => false);
    const others = this.#spans((user, source) => late.get(source)?.has(user) ?? false);
    return [...late].flatMap(([node, users]) => {
      const until = Math.max(...[...users].map((user) => this.#spanOf(user, spans).last));
      const freed = this.buffersOf(node).filter((buffer) => {
        const last = Math.max(this.#ready(node), (others.get(buffer) ?? NEVER).last);
        return this.#made.has(buffer) && !this.#kept.has(buffer) && last + APART < until;
      });
      return freed.reduce((sum, buffer) => sum + bytesOf(buffer), 0) > 2 * packedBytes(node) ? [node] : [];
    });
  }

  /** The dispatch after which a value can be computed. */
  #ready(node: Node): number {
    return Math.max(-1, ...this.buffersOf(node).map((buffer) => this.#made.get(buffer) ?? -1));
  }

  #spanOf(user: Node, spans: ReadonlyMap<Node, Span>): Span {
    const t = this.#made.get(user);
    return t === undefined ? (spans.get(user) ?? NEVER) : { first: t, last: t };
  }

  /** Every node that computes something, with each of its sources; users of a node before the node itself. */
  *#uses(): Generator<readonly [user: Node, source: Node]> {
    for (const user of [...this.nodes].reverse()) {
      if (this.source(user) === user) for (const x of user.inputs) yield [user, this.source(x)];
    }
  }

  #spans(without: (user: Node, source: Node) => boolean): Map<Node, Span> {
    const spans = new Map<Node, Span>();
    for (const [user, source] of this.#uses()) {
      if (without(user, source)) continue;
      const known = spans.get(source) ?? NEVER;
      const { first, last } = this.#spanOf(user, spans);
      spans.set(source, { first: Math.min(known.first, first), last: Math.max(known.last, last) });
    }
    return spans;
  }
}

/**
 * Copies a graph, with new nodes in the order of the old ones: the order of nodes is that of dispatches.
 * @param packed values to pack, with the users that unpack them
 */
function withPacked(
  outputs: readonly Node[],
  schedule: Schedule,
  packed: ReadonlyMap<Node, ReadonlySet<Node>>,
): Node[] {
  const copies = new Map<Node, Node>();
  const words = new Map<Node, Node>();
  const operand = (user: Node, x: Node): Node => {
    const source = schedule.source(x);
    const held = packed.get(source)?.has(user) ? words.get(source) : undefined;
    return held ? reshape(unpack(held, source), x.shape) : copyOf(x);
  };
  const copyOf = (node: Node): Node => {
    if (isLeaf(node)) return node;
    return cached(copies, node, () => {
      const inputs = node.inputs.map((x) => operand(node, x));
      return new Node(node.primitive, inputs, node.attrs, node.shape, node.dtype);
    });
  };
  const due = new Map<Node, Node[]>();
  for (const node of [...packed.keys()].sort((a, b) => a.id - b.id)) {
    const youngest = schedule.buffersOf(node).reduce((a, b) => (a.id > b.id ? a : b));
    due.set(youngest, [...(due.get(youngest) ?? []), node]);
  }
  for (const node of schedule.nodes) {
    copyOf(node);
    due.get(node)?.forEach((value) => words.set(value, pack(copyOf(value))));
  }
  return outputs.map(copyOf);
}
