// `import text from "./wgsl/matmul.wgsl"` for every tool that reads the sources: esbuild (build, size, run) and vitest.
// All of them get the same minified text, so that what is tested is what ships.
import { readdirSync, readFileSync } from "node:fs";
import { readFile } from "node:fs/promises";

const FOLDER = new URL("../src/kernels/wgsl/", import.meta.url);
/** Numbers, so that their letters are not taken for words, and words. */
const TOKEN = /\b\d[\w.]*|[A-Za-z_]\w*/g;
/** `let NAME`, `fn NAME`, ..., and `NAME: type`. */
const DECLARED = /(?:\b(?:let|const|fn|struct|var(?:<[^>]*>)?)) (\w+)|(\w+) ?:/g;
/** Constants in capitals, functions of generated code, and what may follow a dot on a vector. */
const KEPT = /^(?:[A-Z\d_]+|safe_\w+|[xyzw]+|[rgba]+)$/;
/** Words of WGSL, and `p`, the uniforms of generated code. */
const TAKEN = ["as", "do", "fn", "if", "in", "is", "of", "or", "p"];
const LETTERS = [..."abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"];

/**
 * The same program without comments, without spaces that separate nothing, and with short names. One statement stays on
 * one line, so that a compilation message still points at something readable.
 */
export function compactWgsl(source) {
  const code = withoutComments(source);
  const words = code.match(TOKEN) ?? [];
  // Kernels from elsewhere may use words that are short names here.
  const names = words.some((word) => SHORT_WORDS.has(word) && !SHORT.has(word)) ? new Map() : SHORT;
  return code
    .replace(TOKEN, (token) => names.get(token) ?? token.replace(/^0(?=\.\d)|(?<=^\d+\.)0$/, ""))
    .replace(/\b(vec[234]|mat[234]x[234])<([fiu])32>/g, "$1$2")
    .replace(/ (?=(.))/g, (_, next, at, text) => (separates(text[at - 1], next) ? " " : ""))
    .replace(/,(?=\n?[)}])/g, "");
}

/** The files that a kernel's text is joined to wherever it is used, because it says so, each in a line; none for most. */
export const foundationsOf = (source) =>
  Array.from(source.matchAll(/^\/\/ Joined to (\w+\.wgsl)\.$/gm), ([, file]) => file);

/** Runs of white space become one line break after a statement, else one space. */
const withoutComments = (source) =>
  source
    .replace(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, " ")
    .trim()
    .replace(/([;{}]?)\s+/g, (space, end) => end + (end && space.includes("\n") ? "\n" : " "));

/** Whether two characters would read otherwise side by side: words, or two halves of an operator. */
const separates = (before, after) =>
  (/\w/.test(before) && /[\w.]/.test(after)) || (/[-+<>=&|!*/]/.test(before) && (before === after || after === "="));

/**
 * Short names for what the kernels of this package declare. One injective map for all files, so that scopes need no
 * attention and equal lines stay equal, which compresses well. What the compiler and generated code refer to
 * (src/compiler/step.ts) keeps its name: `main`, `store(i, v)`, `load_NAME(i)` and the binding NAME, `out`, constants in
 * capitals, aliases, and `safe_` functions.
 */
function shortNames(sources) {
  const counts = new Map();
  const fixed = new Set(TAKEN);
  const codes = new Map([...sources].map(([file, source]) => [file, withoutComments(source)]));
  for (const [file, code] of codes) {
    const loads = [...code.matchAll(/\bload_(\w+)/g)].flat();
    const kept = new Set(["main", "store", "out", "default", ...loads]);
    const whole = [...foundationsOf(sources.get(file)).map((name) => codes.get(name)), code].join("\n");
    const declared = new Set([...whole.matchAll(DECLARED)].map(([, keyword, typed]) => keyword ?? typed));
    for (const word of code.match(TOKEN) ?? []) {
      const renamed = declared.has(word) && !kept.has(word) && word.length > 1 && !KEPT.test(word);
      if (renamed) counts.set(word, (counts.get(word) ?? 0) + 1);
      else fixed.add(word);
    }
  }
  const frequent = [...counts.keys()].filter((word) => !fixed.has(word)).sort((a, b) => counts.get(b) - counts.get(a));
  const pairs = LETTERS.flatMap((first) => LETTERS.map((second) => first + second));
  const short = [...LETTERS, ...pairs].filter((word) => !fixed.has(word));
  return new Map(frequent.map((word, i) => [word, short[i]]));
}

const SHORT = shortNames(
  new Map(readdirSync(FOLDER).map((file) => [file, readFileSync(new URL(file, FOLDER), "utf8")])),
);
const SHORT_WORDS = new Set(SHORT.values());

/** Plugin for esbuild. */
export const wgslForEsbuild = {
  name: "wgsl",
  setup(build) {
    build.onLoad({ filter: /\.wgsl$/ }, async ({ path }) => ({
      contents: compactWgsl(await readFile(path, "utf8")),
      loader: "text",
    }));
  },
};

/** Plugin for Vite, hence vitest. */
export const wgslForVite = {
  name: "wgsl",
  enforce: "pre",
  async load(id) {
    if (!id.endsWith(".wgsl")) return null;
    return `export default ${JSON.stringify(compactWgsl(await readFile(id, "utf8")))};`;
  },
};
