// What all examples do around their work: arguments, device, progress, interruption, files, exit status.
import { mkdir, writeFile } from "node:fs/promises";
import { join, relative } from "node:path";
import { parseArgs, type ParseArgsConfig } from "node:util";
import { openAnyDevice } from "../../src/cli/driver.ts";
import { createProgress, type Progress } from "../../src/cli/progress.ts";
import type { Device } from "../../src/tensor/device.ts";
import { AumannError, ArgumentError } from "../../src/tensor/errors.ts";

type Options = NonNullable<ParseArgsConfig["options"]>;
/** Values of options as text (`true` for flags). */
export type Given = Readonly<Record<string, string | boolean | undefined>>;

export interface Example<Settings> {
  readonly name: string;
  readonly usage: string;
  /** Beside --help. */
  readonly options: Options;
  /** @throws ArgumentError that says which option is wrong and what it may be */
  readonly settings: (given: Given) => Settings;
  /** Returns the names of the files it wrote and what to print, or nothing if there is nothing to say. */
  readonly run: (settings: Settings, tools: Tools) => Promise<void>;
}

export interface Tools {
  readonly device: Device;
  readonly progress: Progress;
  readonly signal: AbortSignal;
}

const INTERRUPTED = 130;

/** Runs an example; sets the exit status: 0, 1 when something failed, 2 for wrong arguments, 130 after Ctrl-C. */
export async function runExample<Settings>(example: Example<Settings>): Promise<void> {
  const controller = new AbortController();
  const progress = createProgress(process.stderr);
  process.on("SIGINT", () => {
    if (controller.signal.aborted) process.exit(INTERRUPTED);
    controller.abort();
    progress.note("stopping; Ctrl-C again does not wait for the GPU");
  });
  let device: Device | undefined;
  try {
    const settings = settingsOf(example, process.argv.slice(2));
    if (settings === undefined) return console.log(example.usage);
    progress.update("finding an adapter", 0, 1);
    device = await openAnyDevice(progress.note);
    await example.run(settings.value, { device, progress, signal: controller.signal });
  } catch (error) {
    progress.finish();
    process.exitCode = controller.signal.aborted ? INTERRUPTED : error instanceof UsageError ? 2 : 1;
    console.error(`${example.name}: ${controller.signal.aborted ? "interrupted; nothing was written" : textOf(error)}`);
  } finally {
    // A living device keeps the process from ending.
    device?.destroy();
  }
}

/** Arguments that are wrong in themselves, whatever the files hold. */
class UsageError extends ArgumentError {
  override name = "UsageError";
}

/** undefined when help is asked for. */
function settingsOf<Settings>(
  { options, settings }: Example<Settings>,
  args: string[],
): { value: Settings } | undefined {
  try {
    const all: Options = { ...options, help: { type: "boolean", short: "h" } };
    const { values } = parseArgs({ args, options: all, strict: true, allowPositionals: false });
    if (values["help"] === true) return undefined;
    return { value: settings(values as Given) };
  } catch (cause) {
    // Node's sentences go on with advice about "--"; the first one says what is wrong.
    const reason = cause instanceof Error ? cause.message.split(/\. |\n/)[0]! : String(cause);
    throw new UsageError(`${reason.replace(/\.$/, "")}; see --help`, { cause });
  }
}

/** Mistakes that were foreseen need no stack trace; all others are bugs, and do. */
function textOf(error: unknown): string {
  if (error instanceof AumannError) return error.message.replace(/\s*\n\s*/g, " ");
  return error instanceof Error ? `unexpected ${error.stack ?? error.message}` : String(error);
}

/** A whole number from an option, or its default. */
export function wholeNumber(given: Given, name: string, fallback: number, least: number, most: number): number {
  const text = given[name];
  if (text === undefined) return fallback;
  const value = String(text).trim() === "" ? NaN : Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new ArgumentError(`--${name}: expected a whole number from ${least} to ${most}, got "${text}"`);
}

/** A number above 0 from an option, or its default. */
export function positiveNumber(given: Given, name: string, fallback: number): number {
  const text = given[name];
  if (text === undefined) return fallback;
  const value = String(text).trim() === "" ? NaN : Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new ArgumentError(`--${name}: expected a number above 0, got "${text}"`);
}

/** Names separated by commas, or undefined. */
export function nameList(given: Given, name: string): string[] | undefined {
  const text = given[name];
  if (typeof text !== "string") return undefined;
  const names = text.split(",").map((part) => part.trim());
  if (names.includes("")) throw new ArgumentError(`--${name}: there is an empty name in "${text}"`);
  return names;
}

/** Writes files into a folder, which is made if need be; returns their paths as short as they can be said. */
export async function writeFiles(
  folder: string,
  files: Readonly<Record<string, string | Uint8Array>>,
): Promise<string[]> {
  try {
    await mkdir(folder, { recursive: true });
    await Promise.all(Object.entries(files).map(([name, content]) => writeFile(join(folder, name), content)));
  } catch (cause) {
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new AumannError(`cannot write into the folder ${folder}: ${code ?? message}; choose another with --out`, {
      cause,
    });
  }
  return Object.keys(files).map((name) => {
    const near = relative(process.cwd(), join(folder, name));
    return near.startsWith("..") ? join(folder, name) : near;
  });
}

/** What a study came to, in three forms. */
export interface Written {
  readonly report: string;
  /** What JSON can hold of the numbers. */
  readonly numbers: unknown;
  readonly summary: string;
}

/** Writes report and numbers into a folder, and prints the summary and where they are. */
export async function writeStudy(
  out: string,
  { report, numbers, summary }: Written,
  progress: Progress,
): Promise<void> {
  const files = await writeFiles(out, {
    "report.html": report,
    "result.json": `${JSON.stringify(numbers, undefined, 2)}\n`,
  });
  progress.finish();
  console.log(`${summary}\n\n${files[0]} shows everything; the numbers are in ${files[1]}`);
}
