// Shapley Integrated Gradients (arXiv 2310.04821): Integrated Gradients averaged over the baselines that coalitions of
// players make.
import { assertChoice } from "../tensor/checks.ts";
import { hasKinks } from "../compiler/affine.ts";
import type { HostArray } from "../tensor/host.ts";
import { summarise } from "./integrated-gradients.ts";
import { quadrature, type Rule } from "./quadrature.ts";
import { playerWeights, sampledCoalitions, type CoalitionOptions } from "./shapley-coalitions.ts";
import { playersForm, playersOf, playGradients, withGame, type GameOptions } from "./shapley-game.ts";
import type { Attribution, Input, ModelLike } from "./types.ts";

export interface ShapleyIGOptions extends GameOptions, CoalitionOptions {
  /**
   * Over which coalitions a player averages. `all` (default): all of them; those with the player add nothing. `excluded`:
   * only those without it, which gives larger attributions and no identity for their sum.
   */
  readonly average?: "all" | "excluded";
  /** Default: `gauss-legendre` if the network is smooth, `midpoint` if it has kinks. */
  readonly rule?: Rule;
  /** Nodes on the path from each coalition. Default 50. */
  readonly steps?: number;
}

export interface ShapleyIGResult<I extends Input = Input> extends Attribution<I> {
  /** Sums over the features of every player: [B, n]; [K, B, n] for target "all". */
  readonly players: HostArray;
  readonly rule: Rule;
  /** Number of coalitions. */
  readonly coalitions: number;
}

/**
 * Sum over coalitions S of w_S IG_i(x; b_S), where b_S is x on the features of S and x' elsewhere.
 *
 * By default n sizes of equal weight with n coalitions each. Sums satisfy the identity
 *
 *     sum_i SIG_i = f(x) - sum_S w_S f(b_S)
 *
 * up to the error of the quadrature, which `delta` reports; `scores.baseline` is that mean over coalitions. This is not
 * f(x) - f(x'), and the attributions are not Shapley values: see {@link exactShapley} and {@link sampledShapley} for those.
 * With `average: "excluded"` there is no such identity, and `delta` is no error.
 *
 * Masks travel as bits; baselines are made on the device, and all nodes from all coalitions are rows of one batch.
 *
 * @param input examples along the first axis; all are explained with the same coalitions
 * @throws ArgumentError, ShapeError, NumericError, LimitError for arguments that do not fit, before anything runs
 */
export async function shapleyIG<I extends Input>(
  model: ModelLike,
  input: I,
  options: ShapleyIGOptions = {},
): Promise<ShapleyIGResult<I>> {
  const { average = "all", steps = 50 } = options;
  assertChoice("average", average, "all", "excluded");
  return withGame(model, input, options, async (game) => {
    const { problem } = game.path;
    const rule = options.rule ?? (hasKinks([problem.score], problem.ends) ? "midpoint" : "gauss-legendre");
    const masks = sampledCoalitions(game.players, options);
    const result = await playGradients(game, {
      masks,
      playerWeights: playerWeights(masks, average),
      weights: masks.weights,
      quadrature: quadrature(rule, steps),
    });
    const summary = summarise(game.path, result, input, steps, masks.count * steps);
    options.recorder?.noteResult("shapley", playersForm(game));
    return {
      ...summary,
      players: playersOf(game, result.totals),
      rule,
      coalitions: masks.count,
    };
  });
}
