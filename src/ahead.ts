// The package "aumann/ahead": all that a page needs to run what was compiled ahead, without the code that compiles.
import * as results from "./attribution/explanation-results.ts";
import { loading } from "./attribution/load-explanation.ts";

export { loadProgram, LoadedProgram, type SavedProgram } from "./compiler/load.ts";
export { splitExplanations, type JoinedExplanations } from "./attribution/join-explanations.ts";
export type { ExplainOptions, LoadedExplanation } from "./attribution/load-explanation.ts";
export type { SavedExplanation } from "./attribution/saved-explanation.ts";

/** Integrated Gradients, and other methods with results of that form: Guided IG, other paths, expected gradients. */
export const loadAttributions = /* @__PURE__ */ loading(results.attributions);
export const loadShapleyIG = /* @__PURE__ */ loading(results.shapley);
/** Integrated and expected Hessians. */
export const loadHessians = /* @__PURE__ */ loading(results.hessians);
export const loadInteriorGradients = /* @__PURE__ */ loading(results.interior);
export const loadCgi = /* @__PURE__ */ loading(results.cgi);
