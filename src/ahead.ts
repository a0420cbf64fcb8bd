// The package "aumann/ahead": all that a page needs to run what was compiled ahead, without the code that compiles.
import * as results from "./attribution/explanation-results.ts";
import { loading } from "./attribution/load-explanation.ts";

export { loadProgram, LoadedProgram, type SavedProgram } from "./compiler/load.ts";
export { splitExplanations, type JoinedExplanations } from "./attribution/join-explanations.ts";
export type { ExplainOptions, LoadedExplanation } from "./attribution/load-explanation.ts";
export type { SavedExplanation } from "./attribution/saved-explanation.ts";

/**
 * An explanation that `saveExplanation` compiled, ready to explain inputs on this device: Integrated Gradients, and other methods with
 * results of that form (Guided IG, other paths, expected gradients, gradient x input). Dispose of it to free its weights.
 * @param device any: kernels for another kind of adapter run, but slower
 * @param saved, weights what was saved, or the files made from it
 * @throws FormatError if they are not that, or not of this version, or cut short, or of another kind
 * @throws LimitError if this adapter lacks what the kernels need
 */
export const loadAttributions = /* @__PURE__ */ loading(results.attributions);
/** The same for `shapleyIG`. */
export const loadShapleyIG = /* @__PURE__ */ loading(results.shapley);
/** The same for `integratedHessians` and `expectedHessians`. */
export const loadHessians = /* @__PURE__ */ loading(results.hessians);
/** The same for `interiorGradients`. */
export const loadInteriorGradients = /* @__PURE__ */ loading(results.interior);
/** The same for `cgi`. */
export const loadCgi = /* @__PURE__ */ loading(results.cgi);
