export { evaluate, grad, hessian, hvp, jacobian, jvp, valueAndGrad, vjp } from "./api.ts";
export type { ArgumentOption, Fn, Transformed, TransformedMany } from "./api.ts";
export { batchAll, batchGraph, type Batched } from "./batch.ts";
export { jvpGraph } from "./jvp.ts";
export { transposeLinear, vjpGraph } from "./transpose.ts";
