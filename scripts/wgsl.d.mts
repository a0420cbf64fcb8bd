import type { Plugin as EsbuildPlugin } from "esbuild";
import type { Plugin } from "vite";

export declare function compactWgsl(source: string): string;
export declare const wgslForEsbuild: EsbuildPlugin;
export declare const wgslForVite: Plugin;
