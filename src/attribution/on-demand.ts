// What only some runs need, loaded when they do. One module for all of it: what a bundler's output shares with a module that is
// loaded on demand becomes a file of its own, and two such modules make three files, which compress worse than one.
export { rampProduct } from "../kernels/ramp.ts";
export * from "./path-chunks.ts";
export * from "./path-rows.ts";
