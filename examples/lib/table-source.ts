// Which table an example takes: one of the user's, or the default one.
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import { ArgumentError } from "../../src/tensor/errors.ts";
import { breastCancer } from "./breast-cancer.ts";
import { nameList, type Given, type Tools } from "./command.ts";
import { parseCsv } from "./csv.ts";
import { datasetOf, type Dataset } from "./dataset.ts";

export interface Source {
  readonly file: string;
  readonly label: string;
  readonly positive?: string;
  readonly categories: readonly string[];
  readonly drop: readonly string[];
}

export const SOURCE_OPTIONS = {
  data: { type: "string" },
  label: { type: "string" },
  positive: { type: "string" },
  categories: { type: "string" },
  drop: { type: "string" },
} as const;

/** What --help says of them. */
export const SOURCE_USAGE = `\
Without --data: Wisconsin diagnostic breast cancer, out of Debian's package python3-sklearn (apt-get downloads it once).

  --data FILE          a table of your own with a line of column names: commas, semicolons or tabs. Missing values
                       (empty, ?, NA, NaN, null) become the median of their column, text becomes zeros and ones
  --label NAME         the column to predict
  --positive VALUE     its value that counts as positive (default: the last of two in order)
  --categories A,B,... columns of numbers that are names of categories
  --drop A,B,...       columns to leave out`;

/** undefined: the default table. */
export function sourceOf(given: Given): Source | undefined {
  const [file, label, positive] = ["data", "label", "positive"].map((name) => given[name] as string | undefined);
  if (file === undefined) {
    const useless = ["label", "positive", "categories", "drop"].find((name) => given[name] !== undefined);
    if (useless !== undefined) throw new ArgumentError(`--${useless} needs --data`);
    return undefined;
  }
  if (label === undefined) throw new ArgumentError("--data needs --label, the name of the column to predict");
  const [categories = [], drop = []] = [nameList(given, "categories"), nameList(given, "drop")];
  return { file, label, categories, drop, ...(positive !== undefined && { positive }) };
}

export async function loadTable(
  source: Source | undefined,
  { progress, signal }: Pick<Tools, "progress" | "signal">,
): Promise<Dataset> {
  if (source === undefined) return breastCancer({ note: progress.note, signal });
  const { file, ...columns } = source;
  const name = basename(file);
  return datasetOf(parseCsv(await readTable(file), name), { name, source: `the table ${name}`, ...columns });
}

async function readTable(file: string): Promise<string> {
  try {
    return await readFile(file, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const reason = code === "ENOENT" ? "there is no such file" : code === "EISDIR" ? "it is a folder" : String(code);
    throw new ArgumentError(`--data ${file}: ${reason}`, { cause });
  }
}
