// Decides which nodes get a buffer and which are computed inside the kernels that read them.
//
// Stored are: results of hand-written kernels, what those read (unless the kernel takes a prologue), graph outputs, and
// elementwise values whose recomputation in several kernels would cost more than a round trip through memory.
// Every stored elementwise value is the root of a region. A root joins the kernel that makes the last of its operands
// (as epilogue), or an earlier region over the same elements (as one more output), so that most activations, masks and
// residual additions cost no dispatch. A stored slice of what a kernel makes is written by that kernel too.
import { numel } from "../tensor/shape.ts";
import { broadcastPrimitive } from "../kernels/broadcast.ts";
import { is, type Node } from "../graph/node.ts";
import type { Capabilities } from "../graph/primitive.ts";
import { reachable } from "../graph/trace.ts";
import { cutOf } from "./cut.ts";
import { base, isBound, isKernel, isLeaf, Regions, type KernelReads, type Read } from "./regions.ts";

/** Nodes that one dispatch computes. */
export interface Group {
  /** The hand-written kernel, if there is one. */
  readonly kernel?: Node;
  /** What is written, in order of id. */
  readonly roots: Node[];
  /** Everything whose value is at hand inside the dispatch: the kernel and all roots. */
  readonly members: Set<Node>;
  /** Estimated operations per element of the fused part. */
  cost: number;
}

export interface Fusion {
  readonly groups: readonly Group[];
  /** The node whose buffer holds a node's elements: itself, or what it is a reshape of; undefined if computed in place. */
  storageOf(node: Node): Node | undefined;
}

/** Above this many operations per element a value shared by several kernels is stored rather than recomputed. */
const RECOMPUTE = 6;
/** Up to this many, a pass of its own over the elements takes well below a millisecond on a software adapter. */
const FEW_ELEMENTS = 131_072;
/** From so many places on, dispatches cost more than one more pipeline. */
const MANY_PLACES = 8;

/** Groups the nodes that `outputs` depend on into dispatches, in an order in which they can run. */
export function fuse(outputs: readonly Node[], capabilities: Capabilities): Fusion {
  const nodes = reachable(outputs);
  const forced = new Set<Node>();
  for (;;) {
    const stored = chooseStored(nodes, outputs, forced);
    const region = new Regions(stored);
    const overfull = findOverfull(nodes, stored, region, capabilities);
    if (!overfull) return group(nodes, outputs, stored, region, capabilities);
    forced.add(overfull);
  }
}

/** Nodes that get a buffer. */
function chooseStored(nodes: readonly Node[], outputs: readonly Node[], forced: ReadonlySet<Node>): Set<Node> {
  const stored = new Set<Node>(forced);
  for (const node of nodes) if (isBound(node) || isKernel(node)) stored.add(node);
  for (const y of outputs) stored.add(base(y));
  const cost = new Map<Node, number>();
  for (const node of nodes) {
    // What is stored anyway costs its readers nothing.
    const costOf = (x: Node): number => (stored.has(base(x)) ? 0 : cost.get(x)!);
    if (repeats(node)) node.inputs.forEach((x) => costOf(x) > RECOMPUTE && stored.add(uncut(x)));
    cost.set(node, inlineCost(node, costOf));
  }

  const users = usersOf(nodes);
  const sites = new Map<Node, Set<Node>>();
  for (const node of [...nodes].reverse()) {
    const own = new Set<Node>();
    for (const user of users.get(node) ?? []) {
      if (isKernel(user)) {
        const prologue = readsInline(user, node);
        if (prologue) own.add(user);
        else stored.add(base(node));
      } else if (stored.has(user)) own.add(user);
      else sites.get(user)!.forEach((site) => own.add(site));
    }
    sites.set(node, own);
    if (own.size > 1 && cost.get(node)! > RECOMPUTE && !isLeaf(node)) stored.add(base(node));
  }
  return stored;
}

/** Whether a kernel computes all its reads of `node` itself, in a prologue. */
function readsInline(kernel: Node, node: Node): boolean {
  const { lowering } = kernel.primitive;
  if (lowering.kind !== "kernel") return false;
  return kernel.inputs.every((x, i) => x !== node || (lowering.prologues?.[i] !== undefined && node.dtype === "f32"));
}

/** Views that read an element more than once, or compute elements that are then thrown away. */
function repeats(node: Node): boolean {
  if (is(node, broadcastPrimitive)) return numel(node.shape) > numel(node.inputs[0]!.shape);
  return (
    node.primitive.lowering.kind === "view" &&
    (node.inputs.length > 1 || numel(node.shape) > numel(node.inputs[0]!.shape))
  );
}

/** What to store for the sake of a value: where that is most of another one, the whole, which may have more readers. */
function uncut(node: Node): Node {
  const own = base(node);
  const cut = cutOf(own);
  return cut && !isLeaf(cut.source) && 2 * cut.length > cut.extent ? uncut(cut.source) : own;
}

function inlineCost(node: Node, costOf: (x: Node) => number): number {
  const { lowering } = node.primitive;
  if (lowering.kind === "leaf" || lowering.kind === "kernel") return 0;
  const inputs = node.inputs.reduce((sum, x) => sum + costOf(x), 0);
  return Math.min(1e6, inputs + (lowering.kind === "elementwise" ? lowering.cost : 0));
}

function usersOf(nodes: readonly Node[]): Map<Node, Node[]> {
  const users = new Map<Node, Node[]>();
  for (const node of nodes) {
    for (const x of new Set(node.inputs)) {
      const list = users.get(x);
      if (list) list.push(node);
      else users.set(x, [node]);
    }
  }
  return users;
}

/** A node to store because the region that computes it inline would exceed the adapter's bindings. */
function findOverfull(
  nodes: readonly Node[],
  stored: ReadonlySet<Node>,
  regions: Regions,
  capabilities: Capabilities,
): Node | undefined {
  const widest = (xs: readonly Node[]): Node | undefined =>
    xs
      .map(base)
      .filter((x) => !isLeaf(x) && !regions.storageOf(x))
      .sort((a, b) => regions.reads(b).length - regions.reads(a).length)[0];
  for (const node of nodes) {
    if (isBound(node) || !stored.has(node)) continue;
    const { args, inline } = readsOf(node, regions);
    if (args.length + inline.size + 1 <= capabilities.maxStorageBuffers) continue;
    // Operands that are all stored cannot be made fewer here: the program reports them.
    const inlined = widest(node.inputs);
    if (inlined) return inlinedBelow(inlined, regions, widest);
  }
  return undefined;
}

const readsOf = (node: Node, regions: Regions): KernelReads =>
  isKernel(node)
    ? regions.kernelReads(node)
    : { args: [], inline: new Set(regions.reads(node).map((read) => read.node)) };

/** Descends while one branch alone reads too much; the first one that does not. */
function inlinedBelow(node: Node, regions: Regions, widest: (xs: readonly Node[]) => Node | undefined): Node {
  let at = node;
  for (let next = widest(at.inputs); next && regions.reads(at).length > 4; next = widest(at.inputs)) at = next;
  return at;
}

/** Assigns every stored node to a dispatch and orders the dispatches. */
function group(
  nodes: readonly Node[],
  outputs: readonly Node[],
  stored: ReadonlySet<Node>,
  regions: Regions,
  capabilities: Capabilities,
): Fusion {
  const groups = new Map<Node, Placed>();
  const alone = capabilities.software ? rareRoots(nodes, stored) : new Set<Node>();
  const when = (node: Node): number => groups.get(node)?.at ?? -1;
  const candidates = new Map<number, Node[]>();
  for (const node of nodes) {
    if (isBound(node) || !stored.has(node)) continue;
    if (isKernel(node)) {
      const { args, inline } = regions.kernelReads(node);
      groups.set(node, {
        group: { kernel: node, roots: [node], members: new Set([node]), cost: 0 },
        at: node.id,
        args: args.length,
        reads: new Set(inline),
      });
      continue;
    }
    const reads = regions.reads(node);
    const host = findHost(node, reads, groups, when, candidates, regions, { ...capabilities, alone });
    const own: Placed = host ?? {
      group: { roots: [], members: new Set<Node>(), cost: 0 },
      at: node.id,
      args: 0,
      reads: new Set<Node>(),
    };
    own.group.roots.push(node);
    own.group.members.add(node);
    own.group.cost += 2;
    reads.forEach((r) => own.group.members.has(r.node) || own.reads.add(r.node));
    groups.set(node, own);
    if (!own.group.kernel) {
      const size = numel(node.shape);
      const list = candidates.get(size);
      if (list) list.push(node);
      else candidates.set(size, [node]);
    }
  }
  dropUnreadKernels(nodes, outputs, groups, regions);
  const distinct = [...new Map([...groups.values()].map((g) => [g.group, g])).values()];
  distinct.sort((a, b) => a.at - b.at);
  return { groups: distinct.map((g) => g.group), storageOf: (node) => regions.storageOf(node) };
}

/** A dispatch under construction. */
interface Placed {
  readonly group: Group;
  /** Everything it reads was made before this id. */
  readonly at: number;
  /** Bindings of the hand-written kernel's own arguments: generated code that reads the same buffers binds them again. */
  readonly args: number;
  /** What generated code reads. */
  readonly reads: Set<Node>;
}

/** The dispatch that an elementwise root can join without waiting for anything made after it. */
function findHost(
  root: Node,
  reads: readonly Read[],
  groups: ReadonlyMap<Node, Placed>,
  when: (node: Node) => number,
  candidates: ReadonlyMap<number, readonly Node[]>,
  regions: Regions,
  { maxStorageBuffers, alone }: Capabilities & { readonly alone: ReadonlySet<Node> },
): Placed | undefined {
  const source = cutOf(root)?.source;
  const whole = source && regions.storageOf(source);
  const fits = (host: Placed): boolean => {
    const { group, at } = host;
    const { kernel } = group;
    const part = kernel !== undefined && whole !== undefined && hasElement(group, whole);
    if (!part && numel(group.roots[0]!.shape) !== numel(root.shape)) return false;
    if (
      kernel &&
      ((kernel.primitive.lowering.kind === "kernel" && kernel.primitive.lowering.epilogue === false) ||
        (!part && isLong(kernel) && alone.has(root)))
    )
      return false;
    const available = part || reads.every((r) => (group.members.has(r.node) ? r.flat : when(r.node) < at));
    const bound = new Set([...host.reads, ...reads.map((r) => r.node).filter((r) => !group.members.has(r))]);
    return available && host.args + bound.size + group.roots.length + 1 <= maxStorageBuffers;
  };
  const makers = reads.map((r) => groups.get(r.node)).filter((g): g is Placed => g !== undefined);
  const latest = makers.sort((a, b) => b.at - a.at)[0];
  if (latest && fits(latest)) return latest;
  // A region that reads the same buffers over as many elements can write this result as well.
  const shared = new Set(reads.map((r) => r.node));
  return (candidates.get(numel(root.shape)) ?? [])
    .slice(-8)
    .map((node) => groups.get(node)!)
    .find((host) => [...host.reads].some((r) => shared.has(r)) && fits(host));
}

/**
 * Roots over few elements whose expression a program computes in few places. Every kind of epilogue makes another pipeline
 * of a kernel. Where building those of long kernels takes a tenth of a second, as on software adapters, a short pass of its
 * own is cheaper for hundreds of runs; unless it is many passes, as in each step of a recurrent network.
 */
function rareRoots(nodes: readonly Node[], stored: ReadonlySet<Node>): Set<Node> {
  const text = new Map<Node, string>();
  const count = new Map<string, number>();
  const roots: Node[] = [];
  for (const node of nodes) {
    const inputs = node.inputs.map((x) => (stored.has(x) ? "" : (text.get(x) ?? "")));
    text.set(node, `${node.primitive.uid}(${inputs.join()})`.slice(0, 200));
    if (!stored.has(node) || isBound(node) || isKernel(node)) continue;
    count.set(text.get(node)!, (count.get(text.get(node)!) ?? 0) + 1);
    if (numel(node.shape) <= FEW_ELEMENTS) roots.push(node);
  }
  return new Set(roots.filter((node) => count.get(text.get(node)!)! < MANY_PLACES));
}

const isLong = ({ primitive: { lowering } }: Node): boolean => lowering.kind === "kernel" && lowering.long === true;

/** Whether a dispatch holds the element of `node` at the position that it is computing. */
const hasElement = ({ roots, members }: Group, node: Node): boolean =>
  members.has(node) && numel(node.shape) === numel(roots[0]!.shape);

/** A kernel whose result is only read by its own epilogue does not write it. */
function dropUnreadKernels(
  nodes: readonly Node[],
  outputs: readonly Node[],
  groups: ReadonlyMap<Node, Placed>,
  regions: Regions,
): void {
  const read = new Set(outputs.map(base));
  for (const node of nodes) {
    const placed = groups.get(node);
    if (!placed) continue;
    const { args, inline } = readsOf(node, regions);
    [...args, ...inline].filter((r) => isKernel(node) || !placed.group.members.has(r)).forEach((r) => read.add(r));
  }
  for (const [node, { group }] of groups) {
    if (node === group.kernel && !read.has(node)) group.roots.splice(group.roots.indexOf(node), 1);
  }
}
