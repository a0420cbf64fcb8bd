// Runs one case and compares every quantity with the truth.
import { compile } from "../../src/compiler/program.ts";
import type { Value } from "../../src/graph/node.ts";
import { formatShape, sameShape, type Device } from "../../src/tensor/index.ts";
import { truth, type Case, type Expected } from "./case.ts";
import { Context, isValue, type Quantity, type Result } from "./context.ts";
import { competitionQuantities } from "./quantities/competition.ts";
import { derivatives } from "./quantities/derivatives.ts";
import { pathQuantities } from "./quantities/paths.ts";
import { guidedIGQuantities } from "./quantities/guided-ig.ts";
import { integratedHessiansQuantities } from "./quantities/integrated-hessians.ts";
import { integratedGradientsQuantities } from "./quantities/integrated-gradients.ts";
import { shapleyQuantities } from "./quantities/shapley.ts";

const quantities: Readonly<Record<string, Quantity>> = {
  ...derivatives,
  ...competitionQuantities,
  ...integratedGradientsQuantities,
  ...pathQuantities,
  ...integratedHessiansQuantities,
  ...guidedIGQuantities,
  ...shapleyQuantities,
};

export interface Check {
  /** Of the quantity, unique within its case. */
  readonly id: string;
  /** Largest error / tolerance; the check passes up to 1. */
  readonly ratio: number;
  /** Why there is no result. */
  readonly reason?: string;
}

export const passes = ({ ratio }: Check): boolean => ratio <= 1;

/** Computes all quantities of a case on the device. Whatever cannot be computed is a failed check with its reason. */
export async function checkCase(device: Device, case_: Case): Promise<Check[]> {
  const context = new Context(device, case_);
  try {
    const pending = case_.file.expected.map((expected) => ({ expected, outcome: start(context, expected) }));
    const values = pending.flatMap(({ expected, outcome }) => (isValue(outcome) ? [{ expected, value: outcome }] : []));
    const computed = await runTogether(device, values);
    const checks: Check[] = [];
    for (const { expected, outcome } of pending) {
      checks.push(await check(case_, expected, isValue(outcome) ? computed.get(expected)! : outcome));
    }
    return checks;
  } finally {
    context.dispose();
  }
}

function start(context: Context, expected: Expected): Value | Promise<Result> {
  const quantity = quantities[expected.quantity];
  if (!quantity) return failed(new Error(`unsupported: nothing computes the quantity "${expected.quantity}"`));
  try {
    const outcome = quantity(context, expected);
    if (!isValue(outcome)) outcome.catch(() => undefined);
    return outcome;
  } catch (error) {
    return failed(error);
  }
}

/** A rejection that is looked at later. */
function failed(error: unknown): Promise<never> {
  const promise = Promise.reject<never>(error instanceof Error ? error : new Error(String(error)));
  promise.catch(() => undefined);
  return promise;
}

interface Pending {
  readonly expected: Expected;
  readonly value: Value;
}

/** Runs all values as one program; where that fails, each as its own, to find those to blame. */
async function runTogether(device: Device, values: readonly Pending[]): Promise<Map<Expected, Promise<Result>>> {
  const run = (some: readonly Pending[]): Promise<Result[]> =>
    compile(device, { inputs: [], outputs: some.map(({ value }) => value) }).runAndRead([]);
  const results = new Map<Expected, Promise<Result>>();
  if (values.length === 0) return results;
  try {
    const arrays = await run(values);
    values.forEach(({ expected }, i) => results.set(expected, Promise.resolve(arrays[i]!)));
  } catch {
    for (const one of values) {
      try {
        results.set(one.expected, Promise.resolve((await run([one]))[0]!));
      } catch (error) {
        results.set(one.expected, failed(error));
      }
    }
  }
  return results;
}

async function check(case_: Case, expected: Expected, pending: Promise<Result>): Promise<Check> {
  const { id } = expected;
  try {
    const { shape, data, skips } = await pending;
    if (!sameShape(shape, expected.shape)) {
      return {
        id,
        ratio: Infinity,
        reason: `got shape ${formatShape(shape)}, expected ${formatShape(expected.shape)}`,
      };
    }
    return { id, ratio: largestError(data, truth(case_, expected.tensor_f64), skips) / expected.tol_abs.gpu };
  } catch (error) {
    return { id, ratio: Infinity, reason: error instanceof Error ? error.message : String(error) };
  }
}

/** max |a - b|; infinite if anything is not a number. */
export function largestError(a: ArrayLike<number>, b: ArrayLike<number>, skips?: (i: number) => boolean): number {
  let largest = 0;
  for (let i = 0; i < b.length; i++) {
    if (skips?.(i)) continue;
    const error = Math.abs(a[i]! - b[i]!);
    if (!(error <= largest)) largest = Number.isNaN(error) ? Infinity : error;
  }
  return largest;
}
