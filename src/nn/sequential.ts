// A chain of named layers, its parameters, and the chain as a model that attribution explains.
import { ArgumentError } from "../tensor/errors.ts";
import type { Device } from "../tensor/device.ts";
import type { HostArray } from "../tensor/host.ts";
import type { Shape } from "../tensor/shape.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Value } from "../graph/node.ts";
import type { Layer, Parameters } from "./layers.ts";
import { checkInputs, type Model, type ModelOptions, type Tap } from "./model.ts";
import { random } from "./random.ts";

export interface Network {
  /** Names of the layers, in order. */
  readonly names: readonly string[];
  /** Initial parameters on the device, called "layer.parameter". The same key gives the same numbers. */
  init(device: Device, key: number | string): Record<string, Tensor>;
  /** Traces the chain. `tap` is called with the result of each layer and may replace it. */
  apply(parameters: Parameters, x: Value, tap?: Tap): Value;
}

/** Layers applied one after the other: `sequential([["hidden", dense(2, 8)], ["relu", activation(relu)], ...])`. */
export function sequential(layers: readonly (readonly [name: string, layer: Layer])[]): Network {
  const names = layers.map(([name]) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined)
    throw new ArgumentError(`sequential: two layers are called "${twice}"; give every layer a name of its own`);
  return {
    names,
    init(device, key) {
      const stream = random(key);
      const parameters = layers.flatMap(([name, layer]) => prefixed(name, layer.init(stream.fork(name))));
      return Object.fromEntries(parameters.map(([name, array]) => [name, device.tensor(array)]));
    },
    apply(parameters, x, tap = (_, value) => value) {
      return layers.reduce((value, [name, layer]) => tap(name, layer.apply(ofLayer(parameters, name), value)), x);
    },
  };
}

export interface NetworkModelOptions extends ModelOptions {
  /** Name of the input, default "x". */
  readonly input?: string;
  readonly dtype?: "f32" | "i32";
}

/** A network with its parameters as a model. The model owns the parameters from here on: its `dispose` frees them. */
export function modelOf(
  network: Network,
  parameters: Readonly<Record<string, Tensor>>,
  inputShape: Shape,
  options: NetworkModelOptions = {},
): Model {
  const { input = "x", dtype = "f32", classes } = options;
  const [first] = Object.values(parameters);
  if (!first) throw new ArgumentError("modelOf: the network has no parameters, hence no device");
  const inputs = [{ name: input, shape: inputShape, dtype }];
  return {
    device: first.device,
    inputs,
    parameters,
    ...(classes && { classes }),
    apply(given, tap) {
      checkInputs(inputs, given);
      return network.apply(parameters, given[input]!, tap);
    },
    dispose() {
      for (const tensor of Object.values(parameters)) tensor.dispose();
    },
  };
}

const prefixed = (layer: string, parameters: Record<string, HostArray>): [string, HostArray][] =>
  Object.entries(parameters).map(([name, array]) => [`${layer}.${name}`, array]);

function ofLayer(parameters: Parameters, layer: string): Parameters {
  const prefix = `${layer}.`;
  const own = Object.entries(parameters).filter(([name]) => name.startsWith(prefix));
  return Object.fromEntries(own.map(([name, value]) => [name.slice(prefix.length), value]));
}
