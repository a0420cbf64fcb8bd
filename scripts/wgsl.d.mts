import type { Plugin as EsbuildPlugin } from "esbuild";
import type { Plugin } from "vite";

export declare function compactWgsl(source: string): string;
export declare const wgslForEsbuild: EsbuildPlugin;
export declare const wgslForVite: Plugin;

/** The files that a kernel's text is joined to wherever it is used; none for most. */
export function foundationsOf(source: string): string[];
