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
export { compile, Program, type ProgramOptions } from "./compiler/program.ts";
export { Executable, type ProgramPlan } from "./compiler/executable.ts";
export { saveProgram, type ProgramFiles } from "./compiler/save.ts";
export type { Recipe } from "./compiler/recipe.ts";
export { packSaved } from "./compiler/saved.ts";
export { Commands } from "./compiler/commands.ts";
export { explain, type ExplainOptions } from "./compiler/explain.ts";
export { tune, type TuneResult } from "./compiler/tune.ts";
export { tuningOf, useTuning } from "./compiler/tuning.ts";
export { profile, type DispatchTime } from "./compiler/profile.ts";
export * from "./autograd/index.ts";
