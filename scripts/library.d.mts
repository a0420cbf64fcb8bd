export declare const root: string;
export declare function buildLibrary(outdir: string): Promise<void>;
