// Which atoms and pairs of atoms a molecule's logit comes from.
import { integratedGradients } from "../../src/attribution/integrated-gradients.ts";
import { interiorGradients } from "../../src/attribution/interior-gradients.ts";
import type { PathOptions } from "../../src/attribution/types.ts";
import type { GraphExample } from "../../src/nn/index.ts";
import type { Value } from "../../src/graph/node.ts";
import type { HostArray } from "../../src/tensor/host.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";
import { ATOM_SIZES, BOND_KINDS, PAIR_SIZES } from "./molecules-features.ts";
import { featureArrays, portionsOf, type MoleculeNetwork, type MoleculeTools } from "./molecules-network.ts";

/** Attribution of one pair of atoms, from both of its orders. */
export interface PairValue {
  readonly ends: readonly [number, number];
  readonly bonded: boolean;
  readonly value: number;
}

/** A molecule's logit shared out. */
export interface Explanation {
  readonly logit: number;
  /** Logit of the same number of atoms, and the same pairs, without any feature. */
  readonly baseline: number;
  /** Sum of all attributions - (logit - baseline). */
  readonly delta: number;
  readonly atoms: Float64Array;
  readonly pairs: readonly PairValue[];
  /** Of every feature that the molecule has, first those of atoms: attribution, and gradient at the molecule. */
  readonly features: { readonly attributions: Float64Array; readonly gradients: Float64Array };
}

export interface TrainedNetwork {
  readonly network: MoleculeNetwork;
  readonly parameters: Readonly<Record<string, Tensor>>;
}

/** Features of nothing; the masks stay. */
const TO_LOGIT = { target: 0, baseline: "zero" } as const satisfies PathOptions;
/** Molecules whose paths run at once. */
const AT_ONCE = 8;

const modelOf =
  ({ network, parameters }: TrainedNetwork) =>
  ({ atoms, pairs, partners, lengths }: Readonly<Record<string, Value>>): Value =>
    network.apply(parameters, { atoms: atoms!, pairs: pairs!, partners: partners!, lengths: lengths! });

/**
 * Integrated Gradients of the logits from features of zeros, and the plain gradients beside them.
 * @param nodes most of them where the logit changes most: near the baseline, as many units open there at once
 */
export async function explainMolecules(
  trained: TrainedNetwork,
  graphs: readonly GraphExample[],
  nodes: number,
  { device, signal, onProgress }: MoleculeTools,
): Promise<Explanation[]> {
  const model = modelOf(trained);
  const found: Explanation[] = Array<Explanation>(graphs.length);
  let done = 0;
  for (const { members, nodes: size } of portionsOf(graphs, AT_ONCE)) {
    const own = Array.from(members, (i) => graphs[i]!);
    const inputs = await featureArrays(device, own, size);
    const options = { ...TO_LOGIT, device, ...(signal && { signal }) };
    const path = await integratedGradients(model, inputs, { ...options, rule: "equidistributed", steps: nodes });
    // With the molecule itself as the only node; a feature that is there is 1, so this is its gradient.
    const local = await integratedGradients(model, inputs, { ...options, points: { nodes: [1], weights: [1] } });
    own.forEach((graph, k) => {
      const [values, gradients] = [path, local].map(({ attributions }) => featureValues(graph, attributions, k, size));
      found[members[k]!] = {
        logit: path.scores.input.data[k]!,
        baseline: path.scores.baseline.data[k]!,
        delta: path.delta.data[k]!,
        atoms: Float64Array.from(values!.atoms, sumOf),
        pairs: graph.bonds.map((ends, m) => ({
          ends,
          bonded: isBond(graph.bondFeatures![m]!),
          value: sumOf(values!.pairs[m]!),
        })),
        features: { attributions: flat(values!), gradients: flat(gradients!) },
      };
    });
    onProgress?.((done += own.length), 0);
  }
  return found;
}

/** Categories of a pair begin with the kind of its bond. */
const isBond = ([kind]: readonly number[]): boolean => kind! < BOND_KINDS;

const sumOf = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

/** For each atom, and each pair, the values of the features that it has. */
interface FeatureValues {
  readonly atoms: readonly (readonly number[])[];
  readonly pairs: readonly (readonly number[])[];
}

const flat = ({ atoms, pairs }: FeatureValues): Float64Array => Float64Array.from([...atoms.flat(), ...pairs.flat()]);

function featureValues(
  graph: GraphExample,
  { atoms, pairs }: Readonly<Record<"atoms" | "pairs", HostArray>>,
  example: number,
  size: number,
): FeatureValues {
  const [fa, fp] = [atoms.shape.at(-1)!, pairs.shape.at(-1)!];
  const pairAt = (a: number, b: number): number => ((example * size + a) * size + b) * fp;
  return {
    atoms: graph.atoms.map((own, a) =>
      placesOf(own, ATOM_SIZES).map((f) => atoms.data[(example * size + a) * fa + f]!),
    ),
    pairs: graph.bonds.map(([a, b], m) =>
      placesOf(graph.bondFeatures![m]!, PAIR_SIZES).map(
        (f) => pairs.data[pairAt(a, b) + f]! + pairs.data[pairAt(b, a) + f]!,
      ),
    ),
  };
}

/** Where the ones are that stand for categories. */
function placesOf(categories: readonly number[], sizes: readonly number[]): number[] {
  let start = 0;
  return categories.flatMap((category, c) => {
    const at = start + category;
    start += sizes[c]!;
    return category < 0 ? [] : [at];
  });
}

// ---- saturation ----------------------------------------------------------------------------------------------------

export interface MoleculePath {
  readonly alphas: readonly number[];
  /** For each molecule, the logit of its features times alpha. */
  readonly logits: readonly Float64Array[];
  /** For each molecule, the length of the logit's gradient by all features of its atoms and pairs. */
  readonly gradients: readonly Float64Array[];
}

/** @param positions on the path, both ends included */
export async function moleculePaths(
  trained: TrainedNetwork,
  graphs: readonly GraphExample[],
  positions: number,
  { device, signal }: MoleculeTools,
): Promise<MoleculePath> {
  const inputs = await featureArrays(device, graphs);
  const options = { ...TO_LOGIT, device, steps: positions, ...(signal && { signal }) };
  const { alphas, scores, gradients } = await interiorGradients(modelOf(trained), inputs, options);
  const count = graphs.length;
  const lengths = (row: number): number =>
    Math.hypot(
      ...[gradients.atoms, gradients.pairs].map(({ data, shape }) => {
        const size = data.length / (shape[0]! * count);
        let squares = 0;
        for (let i = row * size; i < (row + 1) * size; i++) squares += data[i]! ** 2;
        return Math.sqrt(squares);
      }),
    );
  const along = (value: (row: number) => number): Float64Array[] =>
    graphs.map((_, k) => Float64Array.from(alphas, (_alpha, s) => value(s * count + k)));
  return { alphas, logits: along((row) => scores.data[row]!), gradients: along(lengths) };
}
