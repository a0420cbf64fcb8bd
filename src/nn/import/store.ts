// The weights of an imported model on the device: uploaded when first used, freed together.
import type { Operand } from "../../graph/leaves.ts";
import { ArgumentError } from "../../tensor/errors.ts";
import type { Device } from "../../tensor/device.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import type { Constant } from "./constant.ts";

/** Arrays up to this size are recognised by content, larger ones by identity. */
const SMALL = 1024;

export interface ParameterStore {
  readonly device: Device;
  readonly parameters: Record<string, Tensor>;
  /** What operations take for a constant: a number for a scalar, else a tensor on the device. */
  operand(constant: Constant): Operand;
  /** The constant as a tensor, scalars included. */
  tensor(constant: Constant): Tensor;
  /** Gives a constant the name under which its tensor appears among the parameters. */
  name(constant: Constant, name: string): void;
  /** A constant computed from `source`, kept under a name: tracing a model again computes and uploads nothing. */
  derived(name: string, source: Constant, compute: () => Constant): Constant;
  dispose(): void;
}

export function parameterStore(device: Device): ParameterStore {
  const names = new WeakMap<Constant, string>();
  const byIdentity = new WeakMap<Constant, Tensor>();
  const byContent = new Map<string, Tensor>();
  const computed = new Map<string, { source: Constant; made: Constant }>();
  const parameters: Record<string, Tensor> = {};
  const owned: Tensor[] = [];
  let disposed = false;

  const upload = (c: Constant): Tensor => {
    if (disposed) throw new ArgumentError("this model was disposed; dispose of it after its last use");
    const made = device.tensor(c.data, c.shape, c.dtype);
    owned.push(made);
    return made;
  };
  const tensor = (c: Constant): Tensor => {
    const known = byIdentity.get(c);
    if (known) return known;
    const name = names.get(c);
    const key =
      name === undefined && c.data.length <= SMALL ? `${c.dtype}|${c.shape.join()}|${c.data.join()}` : undefined;
    const made = (key !== undefined && byContent.get(key)) || upload(c);
    if (key !== undefined) byContent.set(key, made);
    if (name !== undefined) parameters[name] = made;
    byIdentity.set(c, made);
    return made;
  };
  return {
    device,
    parameters,
    tensor,
    operand: (c) => (c.shape.length === 0 && c.dtype === "f32" ? c.data[0]! : tensor(c)),
    name: (c, name) => void names.set(c, name),
    derived(name, source, compute) {
      const known = computed.get(name);
      // What a file computes from shapes differs from trace to trace.
      if (known?.source === source) return known.made;
      const made = compute();
      computed.set(name, { source, made });
      names.set(made, name);
      return made;
    },
    dispose() {
      disposed = true;
      for (const t of owned) t.dispose();
    },
  };
}
