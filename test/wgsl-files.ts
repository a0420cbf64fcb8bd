// The hand-written WGSL as it reaches an adapter.
import { readdirSync, readFileSync } from "node:fs";
import { compactWgsl, foundationsOf } from "../scripts/wgsl.mjs";

const folder = new URL("../src/kernels/wgsl/", import.meta.url);
const read = (file: string): string => readFileSync(new URL(file, folder), "utf8");

export const wgslFiles: readonly string[] = readdirSync(folder).filter((file) => file.endsWith(".wgsl"));

/** Text of a file, with those that it is joined to. */
export function wgslText(file: string): string {
  const source = read(file);
  return [...foundationsOf(source).map(read), source].map(compactWgsl).join("\n");
}
