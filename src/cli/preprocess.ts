// Facts about a model that its file does not hold: how pictures become inputs, and what the classes are called.
import { existsSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ArgumentError, FormatError } from "../tensor/errors.ts";
import type { Shape } from "../tensor/shape.ts";
import { isInside } from "../nn/import/inside.ts";
import type { Layout } from "../view/index.ts";
import type { PictureFormat } from "./picture.ts";

/** What is known; the rest follows from the shape of the model's input. */
export interface Facts {
  readonly scale?: number;
  readonly offset?: number;
  readonly channels?: PictureFormat["channels"];
  readonly layout?: "NCHW" | "NHWC";
  /** Height and width, for models that leave them open. */
  readonly size?: readonly [number, number];
  readonly classes?: readonly string[];
}

const CHANNELS = ["grey", "rgb", "bgr"] as const;
const LAYOUTS = ["NCHW", "NHWC"] as const;
const CLASS_FILES = ["classes.txt", "class_names.txt", "labels.txt"];

/**
 * Facts from "key=value,key=value" texts.
 * @throws ArgumentError for an unknown key or a value that does not fit
 */
export function parseFacts(texts: readonly string[]): Facts {
  const pairs = texts.flatMap((text) => text.split(",")).filter((pair) => pair.trim() !== "");
  const facts: Record<string, unknown> = {};
  for (const pair of pairs) {
    const [key = "", value] = pair.split("=").map((part) => part.trim());
    if (value === undefined) throw new ArgumentError(`--preprocess: expected key=value, got "${pair}"`);
    if (key === "scale" || key === "offset") facts[key] = quotient(value);
    else facts[key] = key === "size" ? value.split("x").map(Number) : value;
  }
  return checkedFacts("--preprocess", facts);
}

/** "1/127.5" is easier to write without rounding than its value. */
function quotient(text: string): number {
  const [above, below = "1"] = text.split("/");
  return above!.trim() === "" || below.trim() === "" ? NaN : Number(above) / Number(below);
}

function checkedFacts(where: string, facts: Readonly<Record<string, unknown>>): Facts {
  const known: Record<string, (value: unknown) => boolean> = {
    scale: (v) => Number.isFinite(v) && v !== 0,
    offset: (v) => Number.isFinite(v),
    channels: (v) => CHANNELS.includes(v as never),
    layout: (v) => LAYOUTS.includes(v as never),
    size: (v) => Array.isArray(v) && v.length === 2 && v.every((n) => Number.isInteger(n) && n > 0),
    classes: (v) => Array.isArray(v) && v.every((name) => typeof name === "string"),
  };
  for (const [key, value] of Object.entries(facts)) {
    const fits = known[key];
    if (!fits) throw new ArgumentError(`${where}: there is no "${key}"; known are ${Object.keys(known).join(", ")}`);
    if (!fits(value)) throw new ArgumentError(`${where}: ${key} cannot be ${JSON.stringify(value)}; see --help`);
  }
  return facts;
}

/** Facts from the files beside a model; `factsFile` and lists of classes need not exist. */
export function factsBeside(factsFile: string): Facts {
  const folder = dirname(factsFile);
  const given = existsSync(factsFile) ? parseJson(factsFile) : {};
  if (given === null || typeof given !== "object" || Array.isArray(given))
    throw new FormatError(`${factsFile} must hold one JSON object`);
  const { classes, ...rest } = given as Record<string, unknown>;
  if (typeof classes === "string" && !isInside(classes))
    throw new FormatError(
      `${factsFile}: classes "${classes}" leads out of the folder; expected a file beside the model`,
    );
  const list =
    typeof classes === "string"
      ? join(folder, classes)
      : CLASS_FILES.map((name) => join(folder, name)).find(existsSync);
  const names =
    classes !== undefined && typeof classes !== "string" ? classes : list === undefined ? undefined : readClasses(list);
  return checkedFacts(basename(factsFile), { ...rest, ...(names !== undefined && { classes: names }) });
}

/**
 * Names of classes from a text file with one a line, or a JSON list.
 * @throws ArgumentError when there is no such file, FormatError when it holds no names
 */
export function readClasses(file: string): string[] {
  if (!existsSync(file)) throw new ArgumentError(`there is no file ${file} with the names of the classes`);
  if (!file.endsWith(".json"))
    return readFileSync(file, "utf8")
      .trim()
      .split(/\r?\n/)
      .map((line) => line.trim());
  const list = parseJson(file);
  if (!Array.isArray(list) || !list.every((name) => typeof name === "string"))
    throw new FormatError(`${file} must hold a JSON list of names`);
  return list;
}

function parseJson(file: string): unknown {
  try {
    return JSON.parse(readFileSync(file, "utf8"));
  } catch (cause) {
    throw new FormatError(`${file} is not JSON`, { cause });
  }
}

/**
 * How pictures become inputs of this shape.
 * @param shape of one example
 * @throws ArgumentError when the input is no picture, or when the facts do not fit it
 */
export function pictureFormat(shape: Shape, facts: Facts): PictureFormat {
  const isCount = (n: number | undefined): boolean => n === 1 || n === 3;
  if (shape.length !== 3 || !(isCount(shape[0]) || isCount(shape[2]))) {
    throw new ArgumentError(
      `the model takes [${["batch", ...shape].join(", ")}], which is no picture with 1 or 3 channels; use the library itself`,
    );
  }
  const layout: Layout = facts.layout ? (facts.layout === "NCHW" ? "CHW" : "HWC") : isCount(shape[0]) ? "CHW" : "HWC";
  const [count, height, width] = (layout === "CHW" ? shape : [shape[2], shape[0], shape[1]]) as [
    number,
    number,
    number,
  ];
  const channels = facts.channels ?? (count === 1 ? "grey" : "rgb");
  if (count !== (channels === "grey" ? 1 : 3)) {
    throw new ArgumentError(
      `channels ${channels} and layout ${facts.layout ?? layout} do not fit the input [${["batch", ...shape].join(", ")}]`,
    );
  }
  return { layout, width, height, channels, scale: facts.scale ?? 1 / 255, offset: facts.offset ?? 0 };
}
