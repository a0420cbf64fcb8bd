// Programs: a graph lowered to dispatches and planned, ready to run.
import { cached } from "../tensor/cached.ts";
import type { Device } from "../tensor/device.ts";
import { ArgumentError } from "../tensor/errors.ts";
import { formatShape } from "../tensor/shape.ts";
import { constantPrimitive } from "../graph/leaves.ts";
import { is, type Node, type Value } from "../graph/node.ts";
import { reachable, trace, type Graph, type InputSpec } from "../graph/trace.ts";
import { Executable } from "./executable.ts";
import { fuse, type Group } from "./fuse.ts";
import { normalise } from "./normalise.ts";
import { planMemory, type MemoryPlan } from "./plan.ts";
import type { ArraySpec, Launch, Recipe } from "./recipe.ts";
import { base } from "./regions.ts";
import { lower, type Step } from "./step.ts";
import { capabilitiesOf } from "./tuning.ts";
import { isUniforms, uniformWords } from "./uniforms.ts";

export interface ProgramOptions {
  /**
   * `packSaved` keeps bits and small integers between forward and backward pass, instead of values that are only compared:
   * the same results in less memory, with a dispatch more for each. Default: values.
   */
  readonly saved?: ((outputs: readonly Node[], groups: readonly Group[]) => readonly Node[]) | undefined;
}

/** A compiled function of tensors. */
export class Program extends Executable {
  readonly steps: readonly Step[];
  readonly memory: MemoryPlan;

  constructor(
    device: Device,
    readonly graph: Graph,
    options: ProgramOptions = {},
  ) {
    const { recipe, constants, steps, memory } = compileGraph(device, graph, options);
    super(device, recipe, constants);
    this.steps = steps;
    this.memory = memory;
  }
}

function compileGraph(device: Device, graph: Graph, { saved }: ProgramOptions) {
  const capabilities = capabilitiesOf(device);
  // In the order of the graph: programs of one function for different adapters then have the same weights.
  const constants = reachable(graph.outputs).filter((node) => is(node, constantPrimitive));
  const tensors = constants.map(({ attrs }) => attrs.tensor);
  const foreign = tensors.find((tensor) => tensor.device !== device);
  if (foreign) {
    throw new ArgumentError(
      `program: a captured tensor ${formatShape(foreign.shape)} is on another device than the program`,
    );
  }
  const values = normalise(graph.outputs);
  let fusion = fuse(values, capabilities);
  const outputs = saved?.(values, fusion.groups) ?? values;
  if (outputs !== values) fusion = fuse(outputs, capabilities);
  const steps = fusion.groups.map((group) => lower(group, fusion.storageOf, capabilities));
  const memory = planMemory(steps, new Set(outputs.map(base)));
  const recipe: Recipe = {
    ...dispatchesOf(steps, numbering([graph.inputs, constants], memory, outputs)),
    inputs: graph.inputs.map(({ shape, dtype, attrs }) => ({ name: String(attrs["name"]), shape, dtype })),
    constants: constants.map(specOf),
    scratch: memory.slots,
    outputs: outputs.map(specOf),
    saved: outputs === values ? "values" : "bits",
  };
  return { recipe, constants: tensors, steps, memory };
}

const specOf = ({ shape, dtype }: Node): ArraySpec => ({ shape, dtype });

/** Numbers of buffers, in the order that {@link Recipe} gives. */
function numbering(bound: readonly (readonly Node[])[], { slots, slotOf }: MemoryPlan, outputs: readonly Node[]) {
  const leaves = new Map(bound.flat().map((node, i) => [node, i]));
  const results = new Map(outputs.map((y, i) => [base(y), i]));
  return (node: Node): number => {
    const slot = slotOf.get(node);
    if (slot !== undefined) return leaves.size + slot;
    const result = results.get(node);
    const number = result === undefined ? leaves.get(node) : leaves.size + slots.length + result;
    if (number !== undefined) return number;
    throw new ArgumentError(`program: ${node.toString()} belongs to another function's inputs`);
  };
}

function dispatchesOf(
  steps: readonly Step[],
  numberOf: (node: Node) => number,
): Pick<Recipe, "kernels" | "dispatches"> {
  const kernels = new Map<string, number>();
  const launch = ({ wgsl, workgroups, bindings, quick, upTo }: Step): Launch => ({
    kernel: cached(kernels, wgsl, () => kernels.size),
    workgroups,
    bindings: bindings.map(({ binding, source }) => [
      binding,
      isUniforms(source) ? uniformWords(source) : numberOf(source),
    ]),
    ...(quick && { quick: launch(quick) }),
    ...(upTo !== undefined && { upTo }),
  });
  const dispatches = steps.map((step) => ({ ...launch(step), label: step.label, flops: step.flops }));
  return { kernels: [...kernels.keys()], dispatches };
}

/**
 * Lowers and plans a function (or a traced graph) for a device. Pipelines are built by the first run, or by `ready()`.
 * @param specs shape, dtype (default f32) and name of each argument of a function; a graph has its own
 * @param options what is kept between forward and backward pass
 * @throws LimitError when a dispatch needs more storage buffers than the adapter binds
 * @throws ArgumentError when the function captures a tensor of another device, or reads inputs of another function
 */
export function compile(
  device: Device,
  fn: Graph | ((...inputs: Value[]) => Value | readonly Value[]),
  specs: readonly InputSpec[] = [],
  options: ProgramOptions = {},
): Program {
  return new Program(device, typeof fn === "function" ? trace(fn, specs) : fn, options);
}
