// aumann/reference: double precision on the CPU, to check derivatives and the device against. Not in other bundles.
export { array64, fromHost, worstError, type Array64 } from "./array.ts";
export { checkDerivatives, checkPrimitive, type CheckOptions, type DerivativeErrors } from "./check.ts";
export { define, type Definition, type Definitions } from "./definition.ts";
export { definitions } from "./definitions.ts";
export { evaluate, evaluateNodes, readConstants, type Bindings, type EvaluateOptions } from "./evaluate.ts";
export { generator, randomArray, type Range } from "./random.ts";
export { reluLimitHessians, type DenseLayer, type KinkCrossing, type ReluLimit } from "./relu-limit.ts";
export { verify, type Verified, type VerifyOptions } from "./verify.ts";
