// Trained weights in the cache folder of the user: the second run of an example begins with its explanations.
import { createHash } from "node:crypto";
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { cacheFolder } from "../../src/cli/fetch.ts";
import * as nn from "../../src/nn/index.ts";
import type { Device } from "../../src/tensor/device.ts";
import { FormatError } from "../../src/tensor/errors.ts";
import { hostArray } from "../../src/tensor/host.ts";
import { sameShape } from "../../src/tensor/shape.ts";
import type { Tensor } from "../../src/tensor/tensor.ts";

/** What training came to, beside the weights: kept with them as text. */
export type Facts = Readonly<Record<string, string>>;

export interface Trained {
  readonly parameters: Record<string, Tensor>;
  readonly facts: Facts;
  /** Whether the weights come out of the cache. */
  readonly cached: boolean;
}

export interface WeightOptions {
  readonly device: Device;
  /** Everything that the weights depend on. */
  readonly key: unknown;
  /** Names and shapes that the weights must have. */
  readonly network: Pick<nn.Network, "init">;
  readonly train: () => Promise<{ readonly parameters: Record<string, Tensor>; readonly facts: Facts }>;
  /** Trains even if there are weights. */
  readonly again?: boolean;
  /** Called with the reason why weights in the cache cannot be used. */
  readonly note?: (text: string) => void;
  /** Default: the cache folder of the user. */
  readonly cache?: string;
  /** Of the example, inside the cache. Default "weights". */
  readonly folder?: string;
}

/** File of the weights for a key. */
export function weightsFile(key: unknown, cache = cacheFolder(), folder = "weights"): string {
  const hash = createHash("sha256").update(JSON.stringify(key)).digest("hex").slice(0, 16);
  return join(cache, folder, `${hash}.safetensors`);
}

/** Weights out of the cache, or new ones, which are put there. */
export async function cachedWeights(options: WeightOptions): Promise<Trained> {
  const { device, key, train, again = false, note, cache, folder } = options;
  const file = weightsFile(key, cache, folder);
  const bytes = again ? undefined : await readFile(file).catch(() => undefined);
  if (bytes) {
    try {
      return { ...read(bytes, options), cached: true };
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      note?.(`${file} cannot be used (${error.message}): training again`);
    }
  }
  const trained = await train();
  await keep(file, await encoded(device, trained));
  return { ...trained, cached: false };
}

function read(bytes: Uint8Array, { device, network }: WeightOptions): Omit<Trained, "cached"> {
  const found = nn.readSafetensors(bytes);
  const wanted = network.init(device, 0);
  try {
    for (const [name, { shape }] of Object.entries(wanted)) {
      if (found[name]?.dtype !== "F32" || !sameShape(found[name].shape, shape))
        throw new FormatError(`there is no F32 tensor "${name}" of the expected shape in it`);
    }
    const tensors = Object.keys(wanted).map((name) => {
      const { data, shape } = found[name]!;
      return [name, device.tensor(hostArray(data as Float32Array, shape))] as const;
    });
    return { parameters: Object.fromEntries(tensors), facts: nn.readSafetensorsMetadata(bytes) };
  } finally {
    Object.values(wanted).forEach((tensor) => tensor.dispose());
  }
}

async function encoded(device: Device, { parameters, facts }: Omit<Trained, "cached">): Promise<Uint8Array> {
  const names = Object.keys(parameters);
  const arrays = await device.read(names.map((name) => parameters[name]!));
  const entries = names.map((name, i) => {
    const { shape, data } = arrays[i]!;
    return [name, { shape, dtype: "F32" as const, data: data as Float32Array }] as const;
  });
  return nn.writeSafetensors(Object.fromEntries(entries), facts);
}

/** Written aside first: a file in the cache is whole, even if two programs write it at once. */
async function keep(file: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const aside = `${file}.${process.pid}`;
  await writeFile(aside, bytes);
  await rename(aside, file);
}
