// Tables as numbers: features with gaps, and a label of two classes.
import { ArgumentError, FormatError } from "../../src/tensor/errors.ts";
import type { CsvTable } from "./csv.ts";

export interface Dataset {
  readonly name: string;
  /** Where it comes from. */
  readonly source: string;
  readonly features: readonly string[];
  readonly rows: number;
  /** [rows, features], row by row; NaN where a value is missing. */
  readonly x: Float64Array;
  /** 1 for the positive class. */
  readonly labels: Uint8Array;
  /** Names of the classes. */
  readonly classes: { readonly negative: string; readonly positive: string };
  /** What a reader should know of how the table was read. */
  readonly notes: readonly string[];
}

export interface DatasetOptions {
  readonly name: string;
  readonly source: string;
  /** Name of the column to predict. */
  readonly label: string;
  /** Its value that counts as positive. Default: the larger of two, as numbers or in the order of the alphabet. */
  readonly positive?: string;
  /** Columns of numbers that are names of categories. Columns with text are anyway. */
  readonly categories?: readonly string[];
  /** Columns that are left out. */
  readonly drop?: readonly string[];
}

const MISSING = new Set(["", "?", "na", "n/a", "nan", "null"]);
const MOST_CATEGORIES = 20;
const isMissing = (text: string): boolean => MISSING.has(text.toLowerCase());

/**
 * Takes the features of a table apart from its label. A column of categories becomes one column of zeros and ones for
 * each category, or a single one if there are two. Rows without a label are left out.
 * @throws ArgumentError for names of columns that do not exist, and labels that are not of two classes
 * @throws FormatError for columns of text with too many different values
 */
export function datasetOf(table: CsvTable, options: DatasetOptions): Dataset {
  const { name, source, label, categories = [], drop = [] } = options;
  for (const column of [label, ...categories, ...drop]) indexOf(table, column);
  const labelAt = indexOf(table, label);
  const rows = table.rows.filter((row) => !isMissing(row[labelAt]!));
  const { labels, classes } = labelsOf(
    rows.map((row) => row[labelAt]!),
    options,
  );
  const used = table.columns.filter((column) => column !== label && !drop.includes(column));
  const columns = used.flatMap((column) => {
    const at = indexOf(table, column);
    const texts = rows.map((row) => row[at]!);
    return columnsOf(column, texts, categories.includes(column), name);
  });
  if (columns.length < 2) {
    throw new ArgumentError(`${name}: beside the label "${label}", two columns are needed to interact`);
  }
  const x = Float64Array.from({ length: rows.length * columns.length }, (_, at) => {
    return columns[at % columns.length]!.values[Math.floor(at / columns.length)]!;
  });
  const left = table.rows.length - rows.length;
  return {
    name,
    source,
    features: columns.map((column) => column.name),
    rows: rows.length,
    x,
    labels,
    classes,
    notes: left > 0 ? [`${left} rows without a label were left out.`] : [],
  };
}

function indexOf({ columns }: CsvTable, name: string): number {
  const at = columns.indexOf(name);
  if (at < 0) throw new ArgumentError(`there is no column "${name}"; the columns are ${columns.join(", ")}`);
  return at;
}

function labelsOf(texts: readonly string[], { label, positive }: DatasetOptions) {
  const values = distinct(texts);
  if (positive === undefined && values.length !== 2) {
    const found = `${values.slice(0, 6).join(", ")}${values.length > 6 ? ", ..." : ""}`;
    throw new ArgumentError(
      `label "${label}" has ${values.length} different values (${found}); two are needed, or one of them named ` +
        `with --positive`,
    );
  }
  const chosen = positive ?? values.at(-1)!;
  if (!values.includes(chosen) || values.length < 2) {
    throw new ArgumentError(`label "${label}" needs rows with and without the value "${chosen}"`);
  }
  const others = values.filter((value) => value !== chosen);
  return {
    labels: Uint8Array.from(texts, (text) => (text === chosen ? 1 : 0)),
    classes: { positive: chosen, negative: others.length === 1 ? others[0]! : `not ${chosen}` },
  };
}

/** Different values in ascending order, numbers as numbers. */
const distinct = (texts: readonly string[]): string[] =>
  [...new Set(texts)].sort((a, b) => Number(a) - Number(b) || (a < b ? -1 : a > b ? 1 : 0));

interface Column {
  readonly name: string;
  readonly values: readonly number[];
}

function columnsOf(column: string, texts: readonly string[], forced: boolean, file: string): Column[] {
  const numeric = texts.every((text) => isMissing(text) || Number.isFinite(Number(text)));
  if (numeric && !forced) return [{ name: column, values: texts.map((t) => (isMissing(t) ? NaN : Number(t))) }];
  const values = distinct(texts.filter((text) => !isMissing(text)));
  if (values.length > MOST_CATEGORIES) {
    throw new FormatError(
      `${file}: column "${column}" holds text with ${values.length} different values; leave it out with --drop ` +
        `"${column}"`,
    );
  }
  const chosen = values.length === 2 ? values.slice(1) : values;
  return chosen.map((value) => ({
    name: `${column}=${value}`,
    values: texts.map((text) => (isMissing(text) ? NaN : text === value ? 1 : 0)),
  }));
}
