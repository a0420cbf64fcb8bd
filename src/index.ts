// The package "aumann": devices and tensors, operations, derivatives, programs.
export * from "./tensor/index.ts";
export { Node, apply, type Value } from "./graph/node.ts";
export { fill, iota, input, lift, type Operand } from "./graph/leaves.ts";
export {
  f32,
  primitive,
  type Attrs,
  type Capabilities,
  type KernelCall,
  type Primitive,
  type PrimitiveSpec,
  type Tangent,
} from "./graph/primitive.ts";
export { Index, type IndexContext, type Piece } from "./graph/index-map.ts";
export { trace, type Graph, type InputSpec } from "./graph/trace.ts";
export * from "./kernels/index.ts";
export { compile, Program, type ProgramOptions, type ProgramPlan } from "./compiler/program.ts";
export { packSaved } from "./compiler/saved.ts";
export { Commands } from "./compiler/commands.ts";
export { explain, type ExplainOptions } from "./compiler/explain.ts";
export { tune, type TuneResult } from "./compiler/tune.ts";
export { tuningOf, useTuning } from "./compiler/tuning.ts";
export { profile, type DispatchTime } from "./compiler/profile.ts";
export * from "./autograd/index.ts";
