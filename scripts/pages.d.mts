export declare const pages: readonly string[];
export declare function bundlePage(
  page: string,
  library: string,
): Promise<{ start: string; later: string; gzip: number; gzipLater: number }>;
