// The hand-written WGSL as it reaches an adapter.
import { readdirSync, readFileSync } from "node:fs";
import { compactWgsl, foundationOf } from "../scripts/wgsl.mjs";

const folder = new URL("../src/kernels/wgsl/", import.meta.url);
const read = (file: string): string => readFileSync(new URL(file, folder), "utf8");

export const wgslFiles: readonly string[] = readdirSync(folder).filter((file) => file.endsWith(".wgsl"));

/** Text of a file, with the one that it is joined to. */
export function wgslText(file: string): string {
  const source = read(file);
  const foundation = foundationOf(source);
  return foundation === undefined ? compactWgsl(source) : `${compactWgsl(read(foundation))}\n${compactWgsl(source)}`;
}
