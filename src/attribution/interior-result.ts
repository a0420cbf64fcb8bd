// From values at positions of a path to the curves that show where a network saturates.
import type { HostArray } from "../tensor/host.ts";
import { numel } from "../tensor/shape.ts";
import type { InteriorGradientsResult } from "./interior-gradients.ts";
import { asGiven, type ResultForm } from "./problem.ts";
import type { Input } from "./types.ts";

export interface InteriorForm extends ResultForm {
  readonly layers: readonly string[];
}

/**
 * What follows from rows at all positions.
 * @param rows scores, gradients of every attributed value, activations of every layer
 */
export function interiorOf<I extends Input>(
  rows: readonly HostArray[],
  form: InteriorForm,
): Omit<InteriorGradientsResult<I>, "alphas"> {
  const { layers } = form;
  const gradients = rows.slice(1, rows.length - layers.length);
  const activations = rows.slice(rows.length - layers.length);
  return {
    gradients: asGiven<I>(form, gradients),
    scores: rows[0]!,
    meanAbsGradient: meanMagnitudes(gradients),
    cosineDistances: Object.fromEntries(layers.map((name, k) => [name, cosineDistances(activations[k]!)])),
  };
}

function meanMagnitudes(gradients: readonly HostArray[]): number[] {
  const count = gradients.reduce((n, g) => n + numel(g.shape.slice(1)), 0);
  return Array.from({ length: gradients[0]!.shape[0]! }, (_, s) => {
    let sum = 0;
    for (const { shape, data } of gradients) {
      const size = numel(shape.slice(1));
      for (let i = s * size; i < (s + 1) * size; i++) sum += Math.abs(data[i]!);
    }
    return sum / count;
  });
}

function cosineDistances({ shape, data }: HostArray): number[] {
  const rows = shape[0]!;
  const size = numel(shape.slice(1));
  const dot = (a: number, b: number): number => {
    let sum = 0;
    for (let i = 0; i < size; i++) sum += data[a * size + i]! * data[b * size + i]!;
    return sum;
  };
  const last = rows - 1;
  return Array.from({ length: rows }, (_, s) => {
    const norms = Math.sqrt(dot(s, s) * dot(last, last));
    return norms === 0 ? (s === last ? 0 : 1) : 1 - dot(s, last) / norms;
  });
}
