// How what a recorded run reads becomes the result of its method. What does not depend on the input is not made here.
import { NumericError } from "../tensor/errors.ts";
import { sharesOf, type SharesForm } from "./competition-shares.ts";
import { interactionsOf, sumsOf, type InteractionsForm } from "./hessian-result.ts";
import { interiorOf, type InteriorForm } from "./interior-result.ts";
import type { Finish, Reads } from "./saved-explanation.ts";
import { attributionOf, pathValues, type AttributionForm, type PathValues } from "./path-values.ts";
import { asGiven } from "./problem.ts";
import { rowsOfChunks } from "./rows.ts";
import { playerSums, type PlayersForm } from "./shapley-players.ts";

const valuesOf = ({ reads, forms, classes }: Reads): PathValues[] =>
  reads.map((arrays, i) => pathValues(arrays, forms[i]!, classes));

/** Integrated Gradients, and all else whose result has its form. */
export const attributions: Finish<"attributions"> = {
  kind: "attributions",
  result: (reads, form: AttributionForm) => attributionOf(valuesOf(reads)[0]!, form),
};

export const shapley: Finish<"shapley"> = {
  kind: "shapley",
  result(reads, form: AttributionForm & PlayersForm) {
    const [values] = valuesOf(reads);
    return { ...attributionOf(values!, form), players: playerSums(values!.totals, form) };
  },
};

export const hessians: Finish<"hessians"> = {
  kind: "hessians",
  result: (reads, form: InteractionsForm) => interactionsOf(sumsOf(valuesOf(reads), form.rows), form),
};

export const interior: Finish<"interior"> = {
  kind: "interior",
  result: ({ reads }, form: InteriorForm & { readonly count: number }) =>
    interiorOf(rowsOfChunks(reads, form.count), form),
};

export const cgi: Finish<"cgi"> = {
  kind: "cgi",
  result({ reads }, form: SharesForm) {
    const { maps, ...ends } = sharesOf(reads[0]!, form);
    if (maps) return { attributions: asGiven(form, maps), ...ends };
    throw new NumericError("labels have exactly equal maps somewhere, which only cgi() itself can tell apart");
  },
};
