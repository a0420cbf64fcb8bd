// The command aumann from its arguments to its exit status: reads files, explains, prints.
import { readFile } from "node:fs/promises";
import { basename, join, relative } from "node:path";
import { AumannError, ArgumentError } from "../tensor/errors.ts";
import { OPTION_NAMES, parseArguments, USAGE, type Arguments } from "./arguments.ts";
import { openAnyDevice } from "./driver.ts";
import { explain } from "./explain.ts";
import { chooseModel, type LoadedModel } from "./models.ts";
import type { Raster } from "../view/index.ts";
import { decodePicture, pictureInput } from "./picture.ts";
import { drawPictures } from "./pictures.ts";
import { createProgress, type Progress } from "./progress.ts";
import { adviceOn, summaryText, type Run } from "./summary.ts";
import { writeResults } from "./write.ts";

const INTERRUPTED = 130;

/** Arguments that are wrong in themselves, whatever the files hold. */
class UsageError extends ArgumentError {
  override name = "UsageError";
}

/** Exit status: 0, 1 when something failed, 2 for wrong arguments, 130 after Ctrl-C. */
export async function main(argv: readonly string[]): Promise<number> {
  const progress = createProgress(process.stderr);
  const controller = new AbortController();
  const interrupt = (): void => {
    // Work is given up between two chunks; who is tired of waiting for the end of one presses twice.
    if (controller.signal.aborted) process.exit(INTERRUPTED);
    controller.abort();
    progress.note("stopping; Ctrl-C again does not wait for the GPU");
  };
  process.on("SIGINT", interrupt);
  try {
    const args = argumentsOf(argv);
    if (args.help) console.log(USAGE);
    else await run(args, progress, controller.signal);
    return 0;
  } catch (error) {
    progress.finish();
    if (controller.signal.aborted) {
      console.error("aumann: interrupted; nothing was written");
      return INTERRUPTED;
    }
    console.error(sentence(error));
    return error instanceof UsageError ? 2 : 1;
  } finally {
    process.off("SIGINT", interrupt);
  }
}

function argumentsOf(argv: readonly string[]): Arguments {
  // `npm start --model emotion` lacks the "--" that hands options on: npm keeps them for itself.
  const kept = OPTION_NAMES.find(
    (name) => process.env["npm_lifecycle_event"] === "start" && process.env[`npm_config_${name}`] !== undefined,
  );
  try {
    if (kept !== undefined && kept !== "help")
      throw new ArgumentError(`npm took --${kept} for itself; write "npm start -- --${kept} ..."`);
    return parseArguments(argv);
  } catch (error) {
    if (error instanceof ArgumentError) throw new UsageError(error.message, { cause: error });
    throw error;
  }
}

/** Mistakes that were foreseen need no stack trace; all others are bugs, and do. */
function sentence(error: unknown): string {
  if (error instanceof AumannError) return `aumann: ${error.message.replace(/\s*\n\s*/g, " ")}`;
  return error instanceof Error ? `aumann: unexpected ${error.stack ?? error.message}` : `aumann: ${String(error)}`;
}

async function run(args: Arguments, progress: Progress, signal: AbortSignal): Promise<void> {
  const started = performance.now();
  // Files are looked at before anything slow happens, so that a misspelt name is told at once.
  const model = await chooseModel(args);
  const image = args.image ?? model.example;
  if (image === undefined)
    throw new ArgumentError("--image is missing: a model of your own needs a picture to explain");
  const picture = decodePicture(await readPicture(image), image);
  progress.update("finding an adapter", 0, 1);
  const device = await openAnyDevice(progress.note);
  try {
    progress.update("loading the model", 0, 1);
    const loaded = await model.load(device, { note: progress.note, signal });
    const files = await explainPicture({ args, loaded, image, picture, started }, progress, signal);
    console.log(
      `\n${files[0]} shows everything; beside it are ${files
        .slice(1)
        .map((file) => basename(file))
        .join(", ")}`,
    );
  } finally {
    // A living device keeps the process from ending.
    device.destroy();
  }
}

interface Task {
  readonly args: Arguments;
  readonly loaded: LoadedModel;
  readonly image: string;
  readonly picture: Raster;
  /** Of `performance.now()`. */
  readonly started: number;
}

/** Explains and prints; returns the files that were written. */
async function explainPicture(
  { args, loaded, image, picture, started }: Task,
  { update, note, finish }: Progress,
  signal: AbortSignal,
): Promise<string[]> {
  const { model, format, name } = loaded;
  const input = pictureInput(picture, format);
  signal.throwIfAborted();
  // A tolerance finds its own number of steps.
  const steps = args.steps ?? (args.tolerance === undefined ? loaded.steps : undefined);
  const result = await explain(
    model,
    input,
    format,
    { ...args, ...(steps !== undefined && { steps }) },
    {
      signal,
      onProgress: update,
      onPrediction: ([best]) => note(`${name}: this is "${best!.name}", ${best!.score.toFixed(2)}`),
    },
  );
  update("drawing", 0, 1);
  const pictures = await drawPictures(input, format, result);
  const run: Run = {
    args,
    loaded,
    image: nearPath(image),
    adapter: model.device.info,
    result,
    seconds: (performance.now() - started) / 1000,
  };
  signal.throwIfAborted();
  const files = await writeResults(args.out, run, pictures, input);
  finish();
  console.log(summaryText(run));
  const advice = adviceOn(result);
  if (advice !== undefined) note(`\n${advice}`);
  return files.map((file) => nearPath(join(args.out, file)));
}

/** A path as short as it can be said. */
function nearPath(path: string): string {
  const near = relative(process.cwd(), path);
  return near.startsWith("..") ? path : near;
}

async function readPicture(file: string): Promise<Uint8Array> {
  try {
    return await readFile(file);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "there is no such file" : code === "EISDIR" ? "it is a folder" : String(code);
    throw new ArgumentError(`--image ${file}: ${reason}`, { cause });
  }
}
