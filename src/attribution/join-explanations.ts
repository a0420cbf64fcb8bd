// Several explanations in one file: methods that explain one network have most kernels, and its weights, in common.
import { cached } from "../tensor/cached.ts";
import { bytesFrom, checkSaved, weightBytes, type Bytes, type Constant } from "../compiler/load.ts";
import { concatenated } from "../compiler/save.ts";
import type { RecordedRun, SavedExplanation } from "./saved-explanation.ts";
import type { ExplanationFiles } from "./save-explanation.ts";

export const EXPLANATIONS_FORMAT = "aumann explanations 1";

/** Explanations by name, whose kernels and constants are numbers of shared ones. Plain data, for JSON. */
export interface JoinedExplanations {
  readonly format: typeof EXPLANATIONS_FORMAT;
  readonly kernels: readonly string[];
  readonly constants: RecordedRun["constants"];
  readonly explanations: Readonly<
    Record<
      string,
      Omit<SavedExplanation, "run"> & {
        readonly run: Omit<RecordedRun, "kernels" | "constants"> & {
          readonly kernels: readonly number[];
          readonly constants: readonly number[];
        };
      }
    >
  >;
}

/** The part of the weights that belongs to each constant. */
function partsOf(constants: readonly Constant[], weights: ArrayBuffer): Uint32Array<ArrayBuffer>[] {
  let at = 0;
  return constants.map((constant) => new Uint32Array(weights.slice(at, (at += weightBytes(constant)))));
}

/**
 * One pair of files for several explanations, where what they share is held once.
 * @param files what `saveExplanation` made, by names of your own
 */
export function joinExplanations(files: Readonly<Record<string, ExplanationFiles>>): {
  readonly explanations: JoinedExplanations;
  readonly weights: ArrayBuffer;
} {
  const kernels = new Map<string, number>();
  const constants: { readonly spec: string; readonly words: Uint32Array }[] = [];
  const numberOf = (constant: Constant, words: Uint32Array): number => {
    const spec = JSON.stringify(constant);
    const at = constants.findIndex((c) => c.spec === spec && c.words.every((word, i) => word === words[i]));
    return at < 0 ? constants.push({ spec, words }) - 1 : at;
  };
  const explanations = Object.entries(files).map(([name, { explanation, weights }]) => {
    const { run } = explanation;
    const parts = partsOf(run.constants, weights);
    const shared = {
      kernels: run.kernels.map((text) => cached(kernels, text, () => kernels.size)),
      constants: run.constants.map((constant, i) => numberOf(constant, parts[i]!)),
    };
    return [name, { ...explanation, run: { ...run, ...shared } }] as const;
  });
  return {
    explanations: {
      format: EXPLANATIONS_FORMAT,
      kernels: [...kernels.keys()],
      constants: constants.map(({ spec }) => JSON.parse(spec) as Constant),
      explanations: Object.fromEntries(explanations),
    },
    weights: concatenated(constants.map(({ words }) => words)),
  };
}

/**
 * What {@link joinExplanations} joined, each as it was.
 * @throws FormatError for data of another kind or version, or for weights that are cut short
 */
export function splitExplanations<Name extends string = string>(
  joined: JoinedExplanations,
  weights: Bytes,
): Record<Name, ExplanationFiles> {
  const split: Record<string, ExplanationFiles> = {};
  checkSaved("file of joinExplanations()", () => {
    if ((joined.format as string) !== EXPLANATIONS_FORMAT) return `it is not "${EXPLANATIONS_FORMAT}"`;
    const { kernels, constants } = joined;
    const expected = constants.reduce((sum, constant) => sum + weightBytes(constant), 0);
    if (weights.byteLength !== expected) return `its weights are ${expected} bytes, ${weights.byteLength} were given`;
    const parts = partsOf(constants, bytesFrom(weights));
    for (const [name, explanation] of Object.entries(joined.explanations)) {
      const { run } = explanation;
      const own = { kernels: run.kernels.map((i) => kernels[i]!), constants: run.constants.map((i) => constants[i]!) };
      split[name] = {
        explanation: { ...explanation, run: { ...run, ...own } },
        weights: concatenated(run.constants.map((i) => parts[i]!)),
      };
    }
    return undefined;
  });
  return split;
}
