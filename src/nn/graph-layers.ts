// Parameters of graph layers, and the graph convolution as a layer of a chain.
import type { HostArray } from "../tensor/host.ts";
import type { Operand } from "../graph/leaves.ts";
import { kaimingNormal, type Initialiser } from "./initialise.ts";
import { graphConvolution, weave, type AtomsAndPairs, type Linear, type WeaveOptions } from "./graph.ts";
import type { Layer, Parameters } from "./layers.ts";
import { affineOf, initialAffine } from "./parameters.ts";
import type { Random } from "./random.ts";

export interface GraphConvLayerOptions {
  /** [N, N] for all examples, or [B, N, N]; see {@link normaliseAdjacency}. */
  readonly adjacency: Operand;
  readonly bias?: boolean;
  /** Default: {@link kaimingNormal}. */
  readonly initialiser?: Initialiser;
}

/** A layer [B, N, inputs] -> [B, N, outputs] with parameters `weight` and, by default, `bias`. */
export function graphConv(inputs: number, outputs: number, options: GraphConvLayerOptions): Layer {
  const { adjacency, bias = true, initialiser = kaimingNormal } = options;
  return {
    init: (key) => initialAffine(key.fork("weight"), "", [inputs, outputs], outputs, initialiser, bias),
    apply: (p, x) => graphConvolution(x, adjacency, affineOf("graphConv", p, "", bias)),
  };
}

export interface WeaveLayerOptions {
  /** Features of what comes in. */
  readonly inputs: { readonly atoms: number; readonly pairs: number };
  /** Features of what comes out. Default: 32 and 16. */
  readonly outputs?: { readonly atoms: number; readonly pairs: number };
  /** Features between. Default: as many as come out. */
  readonly hidden?: { readonly atoms: number; readonly pairs: number };
  readonly initialiser?: Initialiser;
}

/** A weave layer has two inputs and two results: it is no part of a chain, but is used in the same way. */
export interface WeaveLayer {
  init(key: Random): Record<string, HostArray>;
  /** See {@link weave}. */
  apply(
    parameters: Parameters,
    features: { readonly atoms: Operand; readonly pairs: Operand },
    options?: WeaveOptions,
  ): AtomsAndPairs;
}

/** Parameters: weight and bias of atomAtom, pairAtom, atom, atomPair, pairPair and pair, such as "atomAtom.weight". */
export function weaveLayer(options: WeaveLayerOptions): WeaveLayer {
  const { inputs, outputs = { atoms: 32, pairs: 16 }, hidden = outputs, initialiser = kaimingNormal } = options;
  const shapes = {
    atomAtom: [inputs.atoms, hidden.atoms],
    pairAtom: [inputs.pairs, hidden.atoms],
    atom: [2 * hidden.atoms, outputs.atoms],
    atomPair: [2 * inputs.atoms, hidden.pairs],
    pairPair: [inputs.pairs, hidden.pairs],
    pair: [2 * hidden.pairs, outputs.pairs],
  } as const;
  return {
    init: (key) =>
      Object.assign(
        {},
        ...Object.entries(shapes).map(([name, shape]) =>
          initialAffine(key.fork(`${name}.weight`), `${name}.`, shape, shape[1], initialiser),
        ),
      ) as Record<string, HostArray>,
    apply: (p, features, about) => {
      const of = (name: keyof typeof shapes): Linear => affineOf("weaveLayer", p, `${name}.`);
      const atomWeights = { atomAtom: of("atomAtom"), pairAtom: of("pairAtom"), atom: of("atom") };
      const pairWeights = { atomPair: of("atomPair"), pairPair: of("pairPair"), pair: of("pair") };
      return weave(features, { ...atomWeights, ...pairWeights }, about);
    },
  };
}
