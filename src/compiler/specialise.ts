// Hand-written WGSL with its constants set.
import { ShaderError } from "../tensor/errors.ts";
import type { KernelCall } from "../graph/primitive.ts";

/**
 * Sets the `const NAME = 1u; // tune` and `alias NAME = f32; // tune` lines of a WGSL file, and takes out what its constants
 * rule out.
 */
export function specialise(name: string, { wgsl, constants = {} }: KernelCall): string {
  const set = Object.entries(constants).reduce((text, [constant, value]) => {
    const [kind, is] = typeof value === "string" ? ["alias", value] : ["const", `${value}u`];
    return replaceOnce(name, text, new RegExp(`${kind} ${constant} ?= ?\\w+;`), `${kind} ${constant} = ${is};`);
  }, wgsl);
  return Object.keys(constants).length > 0 ? pruned(set) : wgsl;
}

export function replaceOnce(kernel: string, text: string, pattern: RegExp, replacement: string): string {
  if (!pattern.test(text)) {
    throw new ShaderError(`kernel "${kernel}": its WGSL lacks ${pattern.source}; see docs/custom-ops.md`);
  }
  return text.replace(pattern, () => replacement);
}

/**
 * Branches that compare constants, decided. Adapters translate all of them before they drop any: without, SwiftShader builds
 * convolutions in half the time, and runs them as fast.
 */
function pruned(commented: string): string {
  // A brace in a comment would close nothing.
  let text = commented.replace(/\/\/.*|\/\*[^]*?\*\//g, "");
  const values = new Map(Array.from(text.matchAll(/\bconst (\w+) ?= ?(\d+)u;/g), ([, name, n]) => [name!, Number(n)]));
  const branch = /\bif ?\(([^(){}]*)\) ?\{/g;
  for (let match = branch.exec(text); match; match = branch.exec(text)) {
    const { index } = match;
    const holds = decided(match[1]!, values);
    const end = closing(text, branch.lastIndex);
    const body = text.slice(branch.lastIndex, end);
    if (holds === undefined || /^\s*else\b/.test(text.slice(end + 1)) || /\belse\s*$/.test(text.slice(0, index)))
      continue;
    // What follows a return is never reached.
    const rest = holds && /\breturn\b[^;]*;\s*$/.test(body) ? closing(text, end + 1) : end + 1;
    text = text.slice(0, index) + (holds ? `{${body}}` : "") + text.slice(rest);
    branch.lastIndex = index;
  }
  return text;
}

/** Whether comparisons of constants with numbers hold, joined by `&&`; undefined if that is not known. */
function decided(condition: string, values: ReadonlyMap<string, number>): boolean | undefined {
  const parts = condition.split("&&").map((part) => {
    const [, name = "", compare, n] = /^\s*(\w+) ?(==|>) ?(\d+)u\s*$/.exec(part) ?? [];
    const value = values.get(name);
    if (value === undefined) return undefined;
    return compare === ">" ? value > Number(n) : value === Number(n);
  });
  return parts.includes(false) ? false : parts.includes(undefined) ? undefined : true;
}

/** Where the block ends that `from` is in. */
function closing(text: string, from: number): number {
  let depth = 1;
  let at = from;
  for (; depth > 0 && at < text.length; at++) depth += text[at] === "{" ? 1 : text[at] === "}" ? -1 : 0;
  return at - 1;
}
