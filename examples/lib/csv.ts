// Comma-separated values as people have them: quotes of both kinds, semicolons or tabs instead of commas.
import { FormatError } from "../../src/tensor/errors.ts";

export interface CsvTable {
  readonly columns: readonly string[];
  /** Each as long as columns; spaces and quotes around values are gone. */
  readonly rows: readonly (readonly string[])[];
}

/**
 * Reads a table with a line of names at its top. Empty lines are skipped.
 * @param name of the file, for messages
 * @throws FormatError for a row of another length, a name that occurs twice, or a table without rows
 */
export function parseCsv(text: string, name: string): CsvTable {
  const [columns, ...rows] = records(text.replace(/^\uFEFF/, ""));
  if (columns === undefined || rows.length === 0)
    throw new FormatError(`${name}: expected a line of column names and rows below it`);
  const twice = columns.find((column, i) => columns.indexOf(column) !== i);
  if (twice !== undefined) throw new FormatError(`${name}: two columns are called "${twice}"`);
  rows.forEach((row, i) => {
    if (row.length !== columns.length) {
      throw new FormatError(`${name}: row ${i + 1} has ${row.length} values for ${columns.length} columns`);
    }
  });
  return { columns, rows };
}

/** The separator that the first line has most of. */
function separatorOf(text: string): string {
  const line = text.slice(0, text.search(/\r?\n|$/));
  const count = (separator: string): number => line.split(separator).length;
  return [",", ";", "\t"].reduce((best, next) => (count(next) > count(best) ? next : best));
}

function records(text: string): string[][] {
  const separator = separatorOf(text);
  const result: string[][] = [];
  let record: string[] = [];
  let at = 0;
  while (at < text.length) {
    while (text[at] === " ") at++;
    const { value, end } = text[at] === '"' ? quoted(text, at) : plain(text, at, separator);
    record.push(value);
    at = end;
    if (text[at] === separator) {
      at++;
      // A separator at the very end leaves one more empty value.
      if (at < text.length && text[at] !== "\n" && text[at] !== "\r") continue;
      record.push("");
    }
    while (text[at] === "\r" || text[at] === "\n") at++;
    if (record.length > 1 || record[0] !== "") result.push(record);
    record = [];
  }
  return result;
}

/** A value in double quotes, which may hold separators, line ends and doubled quotes. */
function quoted(text: string, from: number): { value: string; end: number } {
  let value = "";
  let at = from + 1;
  while (at < text.length) {
    if (text[at] !== '"') value += text[at++]!;
    else if (text[at + 1] === '"') {
      value += '"';
      at += 2;
    } else break;
  }
  return { value: value.trim(), end: at + 1 };
}

function plain(text: string, from: number, separator: string): { value: string; end: number } {
  let end = from;
  while (end < text.length && text[end] !== separator && text[end] !== "\n" && text[end] !== "\r") end++;
  const value = text.slice(from, end).trim();
  // 'present', as ARFF files and their descendants write it.
  return { value: /^'.*'$/.test(value) ? value.slice(1, -1) : value, end };
}
