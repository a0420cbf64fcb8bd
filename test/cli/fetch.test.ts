import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { fetchNpmFile, fetchNpmFiles } from "../../src/cli/fetch.ts";

let cache = "";
beforeAll(async () => {
  cache = await mkdtemp(join(tmpdir(), "aumann-cache-"));
});
afterAll(() => rm(cache, { recursive: true }));

describe("fetchNpmFile", () => {
  test("what is in the cache is not fetched", async () => {
    const file = join(cache, "@some+thing@1.0.0", "models/a.bin");
    await mkdir(join(file, ".."), { recursive: true });
    await writeFile(file, "kept");
    const stages: string[] = [];
    const found = await fetchNpmFile("@some/thing", "1.0.0", "models/a.bin", {
      cache,
      onProgress: ({ stage }) => stages.push(stage),
    });
    expect(await readFile(found, "utf8")).toBe("kept");
    expect(stages).toEqual(["cached"]);
  });

  test("several files are one download, of those that are not there yet", async () => {
    const calls = join(cache, "calls");
    const npm = `#!/bin/sh
echo "$*" >> '${calls}'
mkdir -p package/deep && echo one > package/a.txt && echo two > package/deep/b.txt
tar -czf some-thing-1.0.0.tgz package && echo '[{"filename":"some-thing-1.0.0.tgz"}]'
`;
    await writeFile(join(cache, "npm"), npm);
    await chmod(join(cache, "npm"), 0o755);
    vi.stubEnv("PATH", `${cache}${delimiter}${process.env["PATH"]}`);
    const stages: string[] = [];
    const fetched = async (...paths: string[]): Promise<string[]> => {
      const files = await fetchNpmFiles("thing", "1.0.0", paths, { cache, onProgress: ({ stage }) => stages.push(stage) }); // prettier-ignore
      return Promise.all(files.map((file) => readFile(file, "utf8")));
    };
    expect(await fetched("a.txt")).toEqual(["one\n"]);
    expect(await fetched("deep/b.txt", "a.txt")).toEqual(["two\n", "one\n"]);
    expect(await fetched("deep/b.txt", "a.txt")).toEqual(["two\n", "one\n"]);
    expect(stages).toEqual(["download", "extract", "cached", "download", "extract", "cached", "cached"]);
    expect((await readFile(calls, "utf8")).trim().split("\n")).toEqual(Array(2).fill("pack thing@1.0.0 --json --loglevel=error")); // prettier-ignore
    await expect(fetched("a.txt", "none")).rejects.toThrow(/no file "none" in the npm package thing@1\.0\.0/);
    vi.unstubAllEnvs();
  });

  test("without a network, the message says what to do", async () => {
    vi.stubEnv("npm_config_registry", "http://127.0.0.1:9/");
    vi.stubEnv("npm_config_fetch_retries", "0");
    vi.stubEnv("npm_config_prefer_online", "true");
    const fetching = fetchNpmFile("detypify-service", "0.3.0", "train/model.onnx", { cache });
    await expect(fetching).rejects.toThrow(
      /could not download detypify-service@0\.3\.0 .* put the file at .*train.model\.onnx/,
    );
    vi.unstubAllEnvs();
  });

  test.each([
    ["../evil", "1.0.0", "a"],
    ["--registry=x", "1.0.0", "a"],
    ["name", "latest", "a"],
    ["name", "1.0.0", "../../a"],
  ])("%s@%s %s is refused", async (name, version, path) => {
    await expect(fetchNpmFile(name, version, path, { cache })).rejects.toThrow(/exact version/);
    await expect(fetchNpmFiles(name, version, ["a", path], { cache })).rejects.toThrow(/exact version/);
  });
});
