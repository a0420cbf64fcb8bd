// Files out of Debian packages, which apt-get downloads without installing anything; kept in the cache folder of the
// user.
import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, readdir, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder } from "../../src/cli/fetch.ts";
import { AumannError } from "../../src/tensor/errors.ts";

const run = promisify(execFile);

export interface DebianFileOptions {
  /** Called once if the package has to be downloaded. */
  readonly note?: (text: string) => void;
  readonly signal?: AbortSignal;
  /** Where files are kept. Default: the cache folder of the user. */
  readonly cache?: string;
  /** What else one can do without the package, for the error. */
  readonly instead?: string;
}

/**
 * Path of one file of a Debian package, in the version that the system's lists have. Works without being root.
 * @param path inside the package, such as "usr/share/doc/hello"
 * @throws AumannError where there is no apt-get, no network, no such package, or no such file in it
 */
export const fetchDebianFile = async (name: string, path: string, options?: DebianFileOptions): Promise<string> =>
  (await fetchDebianFiles(name, [path], options))[0]!;

/** Paths of several files of a package, with one download for all that are not kept yet; as {@link fetchDebianFile}. */
export async function fetchDebianFiles(
  name: string,
  paths: readonly string[],
  { note, signal, cache = cacheFolder(), instead = "" }: DebianFileOptions = {},
): Promise<string[]> {
  const files = paths.map((path) => join(cache, `debian+${name}`, path));
  const kept = await Promise.all(files.map(exists));
  if (kept.every(Boolean)) return files;
  note?.(`downloading Debian's package ${name} with apt-get (once; nothing is installed)`);
  const folder = await mkdtemp(join(tmpdir(), "aumann-"));
  let path = paths[0]!;
  try {
    await download(name, folder, `put the file at ${files[kept.indexOf(false)]!}${instead}`, signal);
    const archive = (await readdir(folder)).find((entry) => entry.endsWith(".deb"));
    await run("dpkg-deb", ["-x", archive ?? `${name}.deb`, "content"], { cwd: folder, ...(signal && { signal }) });
    for (const [i, file] of files.entries())
      if (!kept[i]) await keep(join(folder, "content", (path = paths[i]!)), file);
  } catch (cause) {
    signal?.throwIfAborted();
    if (cause instanceof AumannError) throw cause;
    throw new AumannError(`could not take "${path}" out of Debian's package ${name}: ${reasonOf(cause)}`, { cause });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  return files;
}

/** The lists of a fresh system are empty: then they are fetched, as root, and the download is tried again. */
async function download(name: string, folder: string, advice: string, signal?: AbortSignal): Promise<void> {
  const options = { cwd: folder, ...(signal && { signal }) };
  try {
    await run("apt-get", ["download", "-q", name], options);
  } catch (first) {
    signal?.throwIfAborted();
    try {
      if (process.getuid?.() !== 0) throw first;
      await run("apt-get", ["update", "-q"], options);
      await run("apt-get", ["download", "-q", name], options);
    } catch (cause) {
      throw new AumannError(`could not download Debian's package ${name} with apt-get: ${reasonOf(cause)}; ${advice}`, {
        cause,
      });
    }
  }
}

function reasonOf(error: unknown): string {
  const { stderr = "", message, code, syscall } = error as NodeJS.ErrnoException & { stderr?: string };
  if (code === "ENOENT")
    return syscall?.startsWith("spawn") ? "there is no such command here" : "there is no such file";
  return /^E: (.*)$/m.exec(stderr)?.[1] ?? message.split("\n")[0]!;
}

/** Copied aside first: a file in the cache is whole, even if two programs fetch it at once. */
async function keep(from: string, file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true });
  const aside = `${file}.${process.pid}`;
  await copyFile(from, aside);
  await rename(aside, file);
}

const exists = (file: string): Promise<boolean> =>
  stat(file).then(
    () => true,
    () => false,
  );
