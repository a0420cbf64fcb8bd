// The command line, as a checked record.
import { parseArgs } from "node:util";
import { ArgumentError } from "../tensor/errors.ts";
import { RULES, type Rule } from "../attribution/index.ts";

const BASELINES = ["black", "white", "blur", "noise"] as const;
export type BaselineName = (typeof BASELINES)[number];
const SCORES = ["logit", "probability"] as const;
export type ScoreName = (typeof SCORES)[number];
const RULE_NAMES: readonly (Rule | "equidistributed")[] = [...RULES, "equidistributed"];

export interface Arguments {
  readonly help: boolean;
  readonly model: string;
  readonly image?: string;
  readonly target?: string;
  readonly score: ScoreName;
  readonly baseline: BaselineName;
  readonly rule?: Rule | "equidistributed";
  readonly steps?: number;
  readonly tolerance?: number;
  /** Pixels of a square patch. */
  readonly interactions?: number;
  readonly beta: number;
  readonly preprocess: readonly string[];
  readonly classes?: string;
  readonly output?: string;
  readonly out: string;
}

export const USAGE = `aumann explains what an image classifier saw: Integrated Gradients, plain gradients and saturation curves.

  aumann [--model MODEL] [--image FILE] [options]

  --model MODEL        detypify (default): hand-drawn symbols; emotion: faces; inception: drawing or photograph?
                       (slow without a GPU); or one of your own: FILE.onnx, or the folder of a TensorFlow.js model
                       (model.json and its shards)
  --image FILE         PNG or JPEG; cropped around its centre and resized to the model's input
  --target CLASS       name or index of the class to explain (default: the predicted one)
  --score KIND         logit (default): the model's output as it is; probability: its softmax
  --baseline NAME      where the path starts: ${BASELINES.join(", ")} (default black)
  --rule RULE          ${RULE_NAMES.join(", ")}
                       (default: midpoint for networks with kinks such as ReLU, gauss-legendre for smooth ones)
  --steps N            points on the path (default 50; 150 for detypify, 20 for inception)
  --tolerance T        doubles the points until no attribution changes by more than T of the largest, e.g. 0.01
  --interactions N     also interactions between square patches of N pixels (Integrated Hessians); networks with
                       kinks are smoothed for them
  --beta B             sharpness of that smoothing (default 10)
  --out FOLDER         where the files go (default out)

For a model of your own:
  --preprocess K=V,... scale, offset (input = value in 0..255 * scale + offset), channels (grey, rgb, bgr),
                       layout (NCHW, NHWC), size (HEIGHTxWIDTH); e.g. scale=1/127.5,offset=-1,channels=bgr
  --classes FILE       names of the classes, one a line, or a JSON list
  --output NAME        which output to explain, if the model has several
The same can stand in a file beside the model (aumann.json in the folder, or MODEL.aumann.json beside MODEL.onnx):
  { "scale": 0.00392, "offset": 0, "channels": "rgb", "layout": "NCHW", "size": [224, 224], "classes": "labels.txt" }

  --help               this text

Files of npm models are kept in the cache folder of the user ($XDG_CACHE_HOME/aumann).`;

const OPTIONS = {
  model: { type: "string" },
  image: { type: "string" },
  target: { type: "string" },
  score: { type: "string" },
  baseline: { type: "string" },
  rule: { type: "string" },
  steps: { type: "string" },
  tolerance: { type: "string" },
  interactions: { type: "string" },
  beta: { type: "string" },
  preprocess: { type: "string", multiple: true },
  classes: { type: "string" },
  output: { type: "string" },
  out: { type: "string" },
  help: { type: "boolean", short: "h" },
} as const;

export const OPTION_NAMES: readonly string[] = Object.keys(OPTIONS);

/** @throws ArgumentError that says which argument is wrong and what it may be */
export function parseArguments(args: readonly string[]): Arguments {
  const values = parsed(args);
  const { model = "detypify", image, target, classes, output, out = "out", help = false, preprocess = [] } = values;
  const steps = number(
    "steps",
    values.steps,
    (n) => Number.isInteger(n) && n >= 1 && n <= 4096,
    "a whole number from 1 to 4096",
  );
  const tolerance = number("tolerance", values.tolerance, (n) => n > 0, "a number above 0");
  const interactions = number(
    "interactions",
    values.interactions,
    (n) => Number.isInteger(n) && n >= 1,
    "a whole number of pixels from 1 on",
  );
  const beta = number("beta", values.beta, (n) => n > 0, "a number above 0") ?? 10;
  const rule = values.rule === undefined ? undefined : oneOf("rule", values.rule, RULE_NAMES);
  for (const [name, text] of Object.entries({ model, image, target, classes, output, out })) {
    if (text === "") throw new ArgumentError(`--${name} is empty`);
  }
  return {
    help,
    model,
    out,
    preprocess,
    beta,
    score: oneOf("score", values.score ?? "logit", SCORES),
    baseline: oneOf("baseline", values.baseline ?? "black", BASELINES),
    ...(image !== undefined && { image }),
    ...(target !== undefined && { target }),
    ...(classes !== undefined && { classes }),
    ...(output !== undefined && { output }),
    ...(rule !== undefined && { rule }),
    ...(steps !== undefined && { steps }),
    ...(tolerance !== undefined && { tolerance }),
    ...(interactions !== undefined && { interactions }),
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({ args: joined(args), options: OPTIONS, strict: true, allowPositionals: false }).values;
  } catch (cause) {
    // Node's sentences go on with advice about "--"; the first one says what is wrong.
    const reason = cause instanceof Error ? cause.message.split(/\. |\n/)[0]! : String(cause);
    throw new ArgumentError(`${reason.replace(/\.$/, "")}; see --help`, { cause });
  }
}

/** "--tolerance -1" -> "--tolerance=-1": parseArgs would take the number for another option, and blame it. */
function joined(args: readonly string[]): string[] {
  const result: string[] = [];
  for (const arg of args) {
    const before = result.at(-1);
    if (/^-[\d.]/.test(arg) && before?.startsWith("--") && !before.includes("="))
      result[result.length - 1] = `${before}=${arg}`;
    else result.push(arg);
  }
  return result;
}

function number(
  name: string,
  text: string | undefined,
  fits: (n: number) => boolean,
  expected: string,
): number | undefined {
  if (text === undefined) return undefined;
  const value = text.trim() === "" ? NaN : Number(text);
  if (Number.isFinite(value) && fits(value)) return value;
  throw new ArgumentError(`--${name}: expected ${expected}, got "${text}"`);
}

function oneOf<T extends string>(name: string, text: string, values: readonly T[]): T {
  const found = values.find((value) => value === text);
  if (found === undefined) throw new ArgumentError(`--${name}: expected ${values.join(", ")}, got "${text}"`);
  return found;
}
