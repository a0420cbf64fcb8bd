// A network that others trained, as it is checked: its parameters in blocks, and faces for it.
import { parseArguments } from "../../src/cli/arguments.ts";
import { chooseModel } from "../../src/cli/models.ts";
import { pictureInput, shownPicture } from "../../src/cli/picture.ts";
import type { Model } from "../../src/nn/model.ts";
import { FormatError } from "../../src/tensor/errors.ts";
import { hostArray } from "../../src/tensor/host.ts";
import { pictureSet } from "./pictures-data.ts";
import type { Checked, StudyTools } from "./sanity-study.ts";

// The file names layers after nodes of a graph. What its architecture (mini-Xception) calls a block is randomised as one.
const BLOCKS: readonly (readonly [name: string, of: RegExp])[] = [
  ["convolution 1", /\/conv2d_1\b/],
  ["convolution 2", /\/conv2d_2\b/],
  ["block 1", /\/conv2d_3\b|separable_conv2d_[12]\b|^unknown_(9|15)\b/],
  ["block 2", /\/conv2d_4\b|separable_conv2d_[34]\b|^unknown_(26|32)\b/],
  ["output", /^unknown_4\d\b/],
];

/** @throws FormatError for a parameter that the known version of the network does not have */
export function blockOf(parameter: string): string {
  const found = BLOCKS.find(([, of]) => of.test(parameter));
  if (found) return found[0];
  throw new FormatError(`the emotion network has a parameter "${parameter}" that is in none of its known blocks`);
}

/** The same model with its parameters under other names, which say what `parameterLayers` takes for a layer. */
export function regrouped(model: Model, groupOf: (parameter: string) => string): Model {
  const renamed = Object.entries(model.parameters).map(([name, tensor], i) => [`${groupOf(name)}/${i}`, tensor]);
  return { ...model, parameters: Object.fromEntries(renamed) as Model["parameters"] };
}

/**
 * The emotion network and faces. The model is the caller's to dispose of.
 * @param coarse makes three groups of the five blocks
 */
export async function emotionOnFaces(
  { faces, coarse }: { readonly faces: number; readonly coarse: boolean },
  { device, note, signal }: Pick<StudyTools, "device" | "note" | "signal">,
): Promise<Checked> {
  const chosen = await chooseModel(parseArguments(["--model", "emotion"]));
  const { model, format, source } = await chosen.load(device, { note, signal });
  try {
    const set = await pictureSet("faces", faces, { note, signal });
    const about =
      faces > 1 ? `The pictures: ${set.source}` : "The picture: a portrait of the astronaut Eileen Collins (NASA)";
    const inputs = set.subjects.map(({ picture }) => pictureInput(picture, format));
    const size = inputs[0]!.data.length;
    const data = new Float32Array(inputs.length * size);
    inputs.forEach((x, k) => data.set(x.data, k * size));
    return {
      name: "Emotions of faces",
      about:
        `A network that others trained (${source}): a mini-Xception of ${Object.keys(model.parameters).length} parameter ` +
        `arrays, here in ${coarse ? "three groups" : "five blocks"}, which names one of ${model.classes?.length} emotions. What is explained is the ` +
        `value before the softmax. ${about}. Zero, where paths start, is middle grey.`,
      model: regrouped(model, coarse ? (name) => blockOf(name).replace(/ \d$/, "s") : blockOf),
      input: hostArray(data, [inputs.length, ...inputs[0]!.shape.slice(1)]),
      pictures: inputs.map((x) => shownPicture(x, format)),
    };
  } catch (error) {
    model.dispose();
    throw error;
  }
}
