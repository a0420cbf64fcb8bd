// One dispatch: module text, what is bound where, and how many workgroups run.
import type { Node } from "../graph/node.ts";
import { AumannError } from "../tensor/errors.ts";
import { numel } from "../tensor/shape.ts";
import {
  QUICK_ELEMENTS,
  type Attrs,
  type Capabilities,
  type KernelCall,
  type KernelLowering,
  type Uniform,
} from "../graph/primitive.ts";
import { Emitter, Scope } from "./emit.ts";
import type { Group } from "./fuse.ts";
import { LANES, laneReads, type LaneRead } from "./lanes.ts";
import { replaceOnce, specialise } from "./specialise.ts";
import { isUniforms } from "./uniforms.ts";

export interface Binding {
  readonly binding: number;
  /** A node's buffer, or uniform values. */
  readonly source: Node | readonly Uniform[];
}

export interface Step {
  readonly label: string;
  readonly wgsl: string;
  readonly bindings: readonly Binding[];
  readonly workgroups: number;
  readonly flops: number;
  readonly reads: readonly Node[];
  readonly writes: readonly Node[];
  /** The same by a kernel that builds sooner and runs slower. */
  readonly quick?: Step;
  readonly upTo?: number | undefined;
}

/** Hand-written kernels use bindings from 0 on; what is generated into them starts here. */
const FUSED_UNIFORM = 10;
const FUSED_FIRST = 11;

/** Lowers a group of fused nodes to one dispatch. */
export function lower(group: Group, storageOf: (node: Node) => Node | undefined, capabilities: Capabilities): Step {
  // What the dispatch itself computes is not read back from memory.
  const local = (node: Node): Node | undefined => {
    const storage = storageOf(node);
    return storage && group.members.has(storage) ? undefined : storage;
  };
  if (group.kernel) return lowerKernel(group, group.kernel, local, capabilities);
  const lanes = laneReads(group.roots, local);
  const step = lowerElementwise(group, local, lanes);
  const small = capabilities.software && numel(group.roots[0]!.shape) <= QUICK_ELEMENTS;
  return lanes && small ? withQuick(step, lowerElementwise(group, local)) : step;
}

/** Where text or bindings say that it is none, `quick` is left out. */
const withQuick = (step: Step, quick: Step): Step =>
  quick.wgsl !== step.wgsl && sameBindings(step, quick) ? { ...step, quick } : step;

/** Both steps run with one set of buffers and uniform values. */
const sameBindings = (a: Step, b: Step): boolean =>
  a.bindings.every(({ source }, i) => {
    const other = b.bindings[i]?.source;
    return isUniforms(source) ? JSON.stringify(other) === JSON.stringify(source) : source === other;
  });

function lowerElementwise(
  group: Group,
  storageOf: (node: Node) => Node | undefined,
  lanes?: ReadonlyMap<Node, LaneRead>,
): Step {
  const emitter = new Emitter(storageOf);
  const count = numel(group.roots[0]!.shape);
  const scope = new Scope(emitter, undefined, lanes);
  const each = lanes ? LANES : 1;
  const total = emitter.u32("count", count);
  if (lanes) scope.storeLanes(group.roots);
  else scope.store(group.roots, count);
  const wgsl = `${emitter.declarations(0, 1, group.roots)}
@compute @workgroup_size(64, 1)
fn main(@builtin(workgroup_id) wid: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
let i = ((wid.x + wid.y * groups.x) * 64u + lane) * ${each}u;
if (i >= ${total}) { return; }
${scope.lines.join("\n")}
}
`;
  return {
    label: label(group),
    wgsl,
    bindings: [
      { binding: 0, source: emitter.uniforms },
      ...[...emitter.reads, ...group.roots].map((source, i) => ({ binding: i + 1, source })),
    ],
    workgroups: Math.ceil(count / (64 * each)),
    flops: group.cost * count,
    reads: emitter.reads,
    writes: group.roots,
  };
}

function lowerKernel(
  group: Group,
  kernel: Node,
  storageOf: (node: Node) => Node | undefined,
  capabilities: Capabilities,
): Step {
  const { lowering } = kernel.primitive;
  if (lowering.kind !== "kernel") throw new AumannError(`internal: ${kernel.primitive.name} has no kernel`);
  const lowered = (call: KernelCall): Step => {
    const step = kernelStep(group, kernel, storageOf, call);
    return call.quick ? withQuick(step, lowered(call.quick)) : step;
  };
  return lowered(tunedCall(kernel, lowering, capabilities) ?? lowering.call(kernel, capabilities));
}

function kernelStep(
  group: Group,
  kernel: Node,
  storageOf: (node: Node) => Node | undefined,
  { wide, ...narrow }: KernelCall,
): Step {
  const { prologues } = kernel.primitive.lowering as KernelLowering<Attrs>;
  const lanes = wide && laneReads(kernel.inputs, storageOf, true);
  const call = lanes ? wide : narrow;
  const emitter = new Emitter(storageOf);
  const bindings: Binding[] = [{ binding: 0, source: call.uniforms }];
  const reads: Node[] = [];
  let text = specialise(kernel.primitive.name, call);
  kernel.inputs.forEach((x, argument) => {
    const storage = storageOf(x);
    if (storage) {
      bindings.push({ binding: argument + 1, source: storage });
      reads.push(storage);
    } else {
      text = inlinePrologue(kernel, text, new Scope(emitter, undefined, lanes), x, prologues![argument]!);
    }
  });
  const fused = group.roots.filter((root) => root !== kernel);
  if (group.roots.includes(kernel)) bindings.push({ binding: kernel.inputs.length + 1, source: kernel });
  if (fused.length > 0) text = inlineEpilogue(text, emitter, kernel, fused, group.roots.includes(kernel));
  const declarations = emitter.declarations(FUSED_UNIFORM, FUSED_FIRST, fused);
  if (emitter.uniforms.length > 0) bindings.push({ binding: FUSED_UNIFORM, source: emitter.uniforms });
  [...emitter.reads, ...fused].forEach((source, i) => bindings.push({ binding: FUSED_FIRST + i, source }));
  return {
    label: label(group),
    wgsl: declarations ? `${text}\n${declarations}\n` : text,
    bindings,
    workgroups: call.workgroups,
    flops: call.flops + group.cost * numel(kernel.shape),
    upTo: call.upTo,
    reads: [...new Set([...reads, ...emitter.reads])],
    writes: group.roots,
  };
}

function label({ kernel, roots }: Group): string {
  const names = roots.filter((r) => r !== kernel).map((r) => r.primitive.name);
  return [...(kernel ? [kernel.primitive.name] : []), ...names].join("+");
}

/** The variant that was measured to be the fastest for this node; undefined where none was, or where it cannot run. */
function tunedCall(node: Node, { tuning }: KernelLowering<Attrs>, capabilities: Capabilities): KernelCall | undefined {
  const name = tuning && capabilities.tuned?.get(tuning.key(node));
  const call = name === undefined ? undefined : tuning!.variants(node)[name];
  return call?.needs && !capabilities[call.needs] ? undefined : call;
}

function inlinePrologue(kernel: Node, text: string, scope: Scope, node: Node, name: string): string {
  const value = scope.loaded(node);
  const type = scope.isWide ? "vec4<f32>" : "f32";
  const body = `fn load_${name}(i: u32) -> ${type} { ${scope.lines.join(" ")} return ${value}; }`;
  const { name: kernelName } = kernel.primitive;
  const unbound = replaceOnce(
    kernelName,
    text,
    new RegExp(`@group\\(0\\) ?@binding\\(\\d+\\) ?var<storage, ?read> ?${name}: ?array<\\w+>;`),
    "",
  );
  return replaceOnce(kernelName, unbound, new RegExp(`fn load_${name}\\(i: ?u32\\) ?-> ?\\w+ ?\\{[^}]*\\}`), body);
}

function inlineEpilogue(text: string, emitter: Emitter, kernel: Node, fused: readonly Node[], keep: boolean): string {
  const scope = new Scope(emitter, new Map([[kernel, "v"]]));
  scope.store(fused, numel(kernel.shape));
  const raw = keep ? "out[i] = v; " : "";
  const body = `fn store(i: u32, v: ${kernel.dtype}) { ${raw}${scope.lines.join(" ")} }`;
  const unbound = keep
    ? text
    : replaceOnce(
        kernel.primitive.name,
        text,
        /@group\(0\) ?@binding\(\d+\) ?var<storage, ?read_write> ?out: ?array<\w+>;/,
        "",
      );
  return replaceOnce(kernel.primitive.name, unbound, /fn store\(i: ?u32, ?v: ?\w+\) ?\{[^}]*\}/, body);
}
