// The package "aumann/ahead": all that a page needs to run what was compiled ahead, without the code that compiles.
export { loadProgram, LoadedProgram, type SavedProgram } from "./compiler/load.ts";
export { loadIntegratedGradients, type LoadedGradients, type SavedGradients } from "./attribution/load-gradients.ts";
