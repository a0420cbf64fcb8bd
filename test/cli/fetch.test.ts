import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { fetchNpmFile } from "../../src/cli/fetch.ts";

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
  });
});
