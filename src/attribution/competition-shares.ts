// From what is known of every element when all labels have competed to the labels' shares.
import { hostArray, type HostArray } from "../tensor/host.ts";
import type { Shape } from "../tensor/shape.ts";
import type { CgiResult } from "./competition-cgi.ts";
import { share } from "./competition.ts";
import { assertFinite, type ResultForm } from "./problem.ts";

export interface SharesForm extends ResultForm {
  /** Whether the shares of all labels are wanted. */
  readonly all: boolean;
  /** Whether the mean over all labels is subtracted. */
  readonly center: boolean;
  readonly classes: number;
  /** The maps of one label, without the axis that is summed. */
  readonly maps: readonly { readonly name: string; readonly shape: Shape }[];
}

/**
 * Shares of every attributed value; none where equal labels share an element, whose maps have to be looked at.
 * @param read what `beforeAll` names, as it is after all blocks, for every attributed value; output, scores, targets
 * @throws NumericError for maps and scores that are not finite
 */
export function sharesOf(
  read: readonly HostArray[],
  { all, center, classes, maps }: SharesForm,
): { readonly maps: HostArray[] | undefined } & Pick<CgiResult, "outputs" | "scores" | "targets"> {
  const per = (all ? 4 : 3) + (center ? 1 : 0);
  const shares = maps.map(({ name, shape }, j) => {
    const known = read.slice(per * j, per * (j + 1));
    known.forEach((a) => assertFinite(`the map of "${name}"`, a));
    const [a, b, c, d, e] = known.map(({ data }) => data as Float32Array);
    return all ? placed([a!, b!, c!, d!], e, classes, shape) : hostArray(share(a!, b!, c!, d, classes), shape);
  });
  const [outputs, scores, targets] = read.slice(per * maps.length);
  assertFinite("the score", scores!);
  const whole = shares.filter((map) => map !== undefined);
  return { maps: whole.length === maps.length ? whole : undefined, outputs: outputs!, scores: scores!, targets };
}

/** Every element goes to the labels that are ahead there; undefined where equal labels share one. */
function placed(
  [above, winner, below, loser]: readonly [Float32Array, Float32Array, Float32Array, Float32Array],
  total: Float32Array | undefined,
  classes: number,
  shape: Shape,
): HostArray | undefined {
  const data = new Float32Array(classes * above.length);
  for (let i = 0; i < above.length; i++) {
    const mean = total ? total[i]! / classes : 0;
    for (const [best, label, sign] of [
      [above[i]!, winner[i]!, 1],
      [below[i]!, loser[i]!, -1],
    ] as const) {
      const value = sign * best - mean;
      if (sign * value <= 0) continue;
      if (label >= 2 * classes) return undefined;
      data[(label - classes) * above.length + i] = value;
    }
  }
  return hostArray(data, [classes, ...shape]);
}
