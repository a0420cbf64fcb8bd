// Inception V3 as the npm package nsfwjs has it: a TensorFlow.js layers model whose files are scripts that export their
// contents. They are read as text and never run.
import { basename } from "node:path";
import { loadTfjsLayers } from "../nn/import/tfjs.ts";
import type { Model } from "../nn/model.ts";
import type { Device } from "../tensor/device.ts";
import { FormatError } from "../tensor/errors.ts";

const FOLDER = "dist/models/inception_v3";
const MODEL = `${FOLDER}/model.min.js`;
const shardFile = (path: string): string => `${FOLDER}/${path}.min.js`;

export const INCEPTION_FILES: readonly string[] = [
  MODEL,
  ...[1, 2, 3, 4, 5, 6].map((k) => shardFile(`group1-shard${k}of6`)),
];

interface LayersJson {
  readonly modelTopology: { readonly model_config: { readonly config: { readonly layers: { config: object }[] } } };
}

/** @param read gives one of {@link INCEPTION_FILES} */
export async function loadInception(
  device: Device,
  read: (path: string) => Promise<Uint8Array<ArrayBuffer>>,
): Promise<Model> {
  const exported = async (path: string): Promise<unknown> =>
    exportedLiteral(new TextDecoder().decode(await read(path)), basename(path));
  const json = (await exported(MODEL)) as LayersJson;
  // The values before the softmax, as with the other models.
  const last = json.modelTopology.model_config.config.layers.at(-1)!;
  last.config = { ...last.config, activation: "linear" };
  return loadTfjsLayers(
    device,
    json,
    async (path) => new Uint8Array(Buffer.from((await exported(shardFile(path))) as string, "base64")),
    { classes: ["Drawing", "Hentai", "Neutral", "Porn", "Sexy"] },
  );
}

// In what minifiers write, JSON lacks quotes around keys, !0 and !1 are true and false, and .5 has no zero.
const TOKENS = /"(?:[^"\\]|\\.)*"|([\w$]+)(?=:)|!([01])|(?<![\w.])\.(?=\d)/g;

/**
 * The string or object of literals that a script bundled by Browserify exports from its only module.
 * @throws FormatError when there is no such thing
 */
export function exportedLiteral(script: string, name: string): unknown {
  const [start, end] = [script.search(/\.exports=[{"]/) + 9, script.lastIndexOf("},{}]")];
  const literal = start < 9 ? "" : script.slice(start, end);
  const json = literal.startsWith('"')
    ? literal
    : literal.replace(TOKENS, (token, key: string | undefined, bit: string | undefined) => {
        if (key !== undefined) return `"${key}"`;
        return bit === undefined ? (token === "." ? "0." : token) : String(bit === "0");
      });
  try {
    return JSON.parse(json);
  } catch (cause) {
    throw new FormatError(`${name} is no script that exports one literal; it is cut short or another file`, { cause });
  }
}
