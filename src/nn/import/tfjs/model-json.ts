// The parts of a model.json that both formats of TensorFlow.js share. It may come from anywhere: nothing in it is believed
// before it was checked.
import { FormatError } from "../../../tensor/errors.ts";

/** @param json the text of model.json, or the object in it */
export function parseModelJson(json: string | object): unknown {
  if (typeof json !== "string") return json;
  try {
    const parsed: unknown = JSON.parse(json);
    if (typeof parsed === "object" && parsed !== null) return parsed;
  } catch (cause) {
    throw new FormatError("tfjs: model.json is not JSON; it is cut short or another file", { cause });
  }
  throw new FormatError("tfjs: model.json must hold one JSON object; it is another file");
}
