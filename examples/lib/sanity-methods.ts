// The methods whose maps are checked, each as it is and with its labels in competition.
import { cgi } from "../../src/attribution/competition-cgi.ts";
import { compete } from "../../src/attribution/competition.ts";
import { guidedIG } from "../../src/attribution/guided-ig.ts";
import { integratedGradients } from "../../src/attribution/integrated-gradients.ts";
import { gradientXInput, saliency } from "../../src/attribution/saliency.ts";
import type { CheckedMethod } from "../../src/attribution/evaluate/sanity.ts";

/** Names of a method: plain, and in competition. */
export interface MethodPair {
  readonly plain: string;
  readonly competing: string;
}

export const PAIRS: readonly MethodPair[] = [
  { plain: "gradient", competing: "competitive gradient" },
  { plain: "gradient × input", competing: "CGI" },
  { plain: "IG", competing: "competitive IG" },
  { plain: "Guided IG", competing: "competitive Guided IG" },
];

export const METHOD_NAMES: readonly string[] = PAIRS.flatMap(({ plain, competing }) => [plain, competing]);

export interface PathSettings {
  /** Nodes of Integrated Gradients. */
  readonly nodes: number;
  /** Steps of Guided IG. */
  readonly guidedSteps: number;
  /** Names of methods that are left out, to save time. */
  readonly without?: readonly string[];
}

/** Half the width of Guided IG's corridor: the authors' 0.02 belongs to 200 steps, with fewer it leaves a straight line. */
export const MAX_DIST = 0.1;

/** The methods by name. Paths start at zeros, the reference of gradient × input. */
export function checkedMethods({ nodes, guidedSteps, without = [] }: PathSettings): Record<string, CheckedMethod> {
  const path = { steps: nodes };
  const guided = { steps: guidedSteps, maxDist: MAX_DIST };
  const all: Record<string, CheckedMethod> = {
    gradient: saliency,
    "competitive gradient": compete(saliency),
    "gradient × input": gradientXInput,
    CGI: cgi,
    IG: (model, input, options) => integratedGradients(model, input, { ...options, ...path }),
    "competitive IG": (model, input, options) => compete(integratedGradients)(model, input, { ...options, ...path }),
    "Guided IG": (model, input, options) => guidedIG(model, input, { ...options, ...guided }),
    "competitive Guided IG": (model, input, options) => compete(guidedIG)(model, input, { ...options, ...guided }),
  };
  return Object.fromEntries(Object.entries(all).filter(([name]) => !without.includes(name)));
}
