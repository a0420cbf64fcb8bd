// LSTM and GRU as layers: stacked, in one or both directions. Parameters have PyTorch's names, shapes and gate orders
// (weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, ..._reverse), so that its state dictionaries fit as they are.
import { ArgumentError, FormatError, ShapeError } from "../tensor/errors.ts";
import { formatShape } from "../tensor/shape.ts";
import type { HostArray } from "../tensor/host.ts";
import { lift, type Operand } from "../graph/leaves.ts";
import type { Value } from "../graph/node.ts";
import { concat } from "../kernels/join.ts";
import { index } from "../kernels/slice.ts";
import { xavierUniform, zeros, type Initialiser } from "./initialise.ts";
import type { Layer, Parameters } from "./layers.ts";
import type { Random } from "./random.ts";
import { gruSequence, lstmSequence, type GruOptions, type LstmOptions, type RecurrentWeights } from "./recurrent.ts";

export interface RecurrentLayerOptions {
  /** How many are stacked; default 1. */
  readonly layers?: number;
  /** Whether each of them also runs from the end; both results are joined along the last axis. Default false. */
  readonly bidirectional?: boolean;
  /** "sequence" (default): h after every step [B, T, D H]; "last": h after the last step of each direction [B, D H]. */
  readonly output?: "sequence" | "last";
  /** Default true. */
  readonly bias?: boolean;
  /** Default: {@link xavierUniform}. */
  readonly initialiser?: Initialiser;
  /** i32 [B]: see {@link lstmSequence}. */
  readonly lengths?: Operand;
  /** State before the first step, [layers D, B, H] or [layers D, H]: layer by layer, forward before backward. Default: zeros. */
  readonly h?: Operand;
}

/** `gates`, `forgetBias` and `kernel` are those of {@link lstmSequence}, for all layers and directions. */
export interface LstmLayerOptions extends RecurrentLayerOptions, Pick<LstmOptions, "gates" | "forgetBias" | "kernel"> {
  /** As `h`. */
  readonly c?: Operand;
}

export interface GruLayerOptions extends RecurrentLayerOptions, Pick<GruOptions, "gates" | "resetAfter"> {}

/**
 * An LSTM [B, T, inputs] -> [B, T, D units], or [B, D units] with `output: "last"`; D is 2 if bidirectional, else 1.
 * Parameters of layer k: weight_ih_lk [4 units, inputs], weight_hh_lk [4 units, units], and biases [4 units] bias_ih_lk and, if
 * there is one, bias_hh_lk; of the backward direction the same with _reverse.
 * @throws ArgumentError unless `layers` is a whole number >= 1, and as {@link lstmSequence}
 */
export function lstm(inputs: number, units: number, options: LstmLayerOptions = {}): Layer {
  const { gates, forgetBias, kernel } = options;
  return stacked("lstm", 4, inputs, units, options, (x, weights, { reverse, lengths, at }) => {
    const c = stateAt("lstm", "c", options.c, at, layerCount(options));
    const settings = {
      ...(gates !== undefined && { gates }),
      ...(forgetBias !== undefined && { forgetBias }),
      ...(kernel !== undefined && { kernel }),
    };
    const h = stateAt("lstm", "h", options.h, at, layerCount(options));
    return lstmSequence(x, weights, { layout: "out-in", reverse, ...lengths, ...settings, ...h, ...c });
  });
}

/** A GRU; as {@link lstm}, with 3 in place of 4 and the gate orders of {@link gruSequence}. */
export function gru(inputs: number, units: number, options: GruLayerOptions = {}): Layer {
  const { gates, resetAfter } = options;
  return stacked("gru", 3, inputs, units, options, (x, weights, { reverse, lengths, at }) => {
    const settings = { ...(gates !== undefined && { gates }), ...(resetAfter !== undefined && { resetAfter }) };
    const h = stateAt("gru", "h", options.h, at, layerCount(options));
    return gruSequence(x, weights, { layout: "out-in", reverse, ...lengths, ...settings, ...h });
  });
}

/** What one direction of one layer is run with. */
interface Direction {
  readonly reverse: boolean;
  readonly lengths: { readonly lengths?: Operand };
  /** Its position among all directions of all layers. */
  readonly at: number;
}

type Run = (x: Value, weights: RecurrentWeights, direction: Direction) => { sequence: Value; h: Value };

const directions = ({ bidirectional = false }: RecurrentLayerOptions): string[] =>
  bidirectional ? ["", "_reverse"] : [""];
const layerCount = (options: RecurrentLayerOptions): number => (options.layers ?? 1) * directions(options).length;

function stacked(
  op: string,
  gates: number,
  inputs: number,
  units: number,
  options: RecurrentLayerOptions,
  run: Run,
): Layer {
  const { layers = 1, output = "sequence", lengths } = options;
  if (!Number.isInteger(layers) || layers < 1)
    throw new ArgumentError(`${op}: expected a whole number of layers >= 1, got ${layers}`);
  const ways = directions(options);
  const depth = Array.from({ length: layers }, (_, layer) => layer);
  const suffixes = depth.map((layer) => ways.map((way) => `l${layer}${way}`));
  const apply = (parameters: Parameters, x: Value): Value => {
    let results: { sequence: Value; h: Value }[] = [];
    for (const layer of depth) {
      const from = layer === 0 ? x : joined(results.map((result) => result.sequence));
      results = suffixes[layer]!.map((suffix, way) => {
        const direction = {
          reverse: way === 1,
          lengths: lengths === undefined ? {} : { lengths },
          at: layer * ways.length + way,
        };
        return run(from, weightsOf(op, parameters, suffix, options.bias ?? true), direction);
      });
    }
    return joined(results.map((result) => (output === "last" ? result.h : result.sequence)));
  };
  const init = (key: Random): Record<string, HostArray> =>
    Object.assign(
      {},
      ...suffixes.flatMap((own, layer) => {
        const from = layer === 0 ? inputs : units * ways.length;
        return own.map((suffix) => initial(key, suffix, gates * units, from, units, options));
      }),
    ) as Record<string, HostArray>;
  return { init, apply };
}

const joined = (xs: readonly Value[]): Value => concat(xs, -1);

function initial(
  key: Random,
  suffix: string,
  rows: number,
  inputs: number,
  units: number,
  { initialiser = xavierUniform, bias = true }: RecurrentLayerOptions,
): Record<string, HostArray> {
  const matrix = (name: string, columns: number): Record<string, HostArray> => ({
    [name]: initialiser([rows, columns], key.fork(name)),
  });
  return {
    ...matrix(`weight_ih_${suffix}`, inputs),
    ...matrix(`weight_hh_${suffix}`, units),
    ...(bias && { [`bias_ih_${suffix}`]: zeros([rows], key) }),
  };
}

function weightsOf(op: string, parameters: Parameters, suffix: string, bias: boolean): RecurrentWeights {
  const required = (name: string): Operand => {
    const found = parameters[name];
    if (found !== undefined) return found;
    const names = Object.keys(parameters).map((n) => `"${n}"`);
    throw new FormatError(`${op}: parameter "${name}" is missing; there are ${names.join(", ") || "none"}`);
  };
  const recurrentBias = parameters[`bias_hh_${suffix}`];
  return {
    input: required(`weight_ih_${suffix}`),
    recurrent: required(`weight_hh_${suffix}`),
    ...(bias && { bias: required(`bias_ih_${suffix}`) }),
    ...(bias && recurrentBias !== undefined && { recurrentBias }),
  };
}

/** State of one direction of one layer, as an option of that name. */
function stateAt(
  op: string,
  name: string,
  states: Operand | undefined,
  at: number,
  count: number,
): Record<string, Value> {
  if (states === undefined) return {};
  const all = lift(states);
  if (all.shape[0] !== count)
    throw new ShapeError(
      `${op}: expected ${name} [${count}, ...], one state per layer and direction, got ${formatShape(all.shape)}`,
    );
  return { [name]: index(all, 0, at) };
}
