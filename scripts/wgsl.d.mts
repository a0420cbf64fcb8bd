import type { Plugin } from "vite";

export declare function compactWgsl(source: string): string;
export declare const wgslForVite: Plugin;
