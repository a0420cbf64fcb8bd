export * from "./activations.ts";
export * from "./elementwise.ts";
export * from "./matmul.ts";
export * from "./movement.ts";
export * from "./reduce.ts";
