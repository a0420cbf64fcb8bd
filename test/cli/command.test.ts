// The command from end to end, with a model and a picture made here.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from "vitest";
import { main } from "../../src/cli/command.ts";
import { decodePicture } from "../../src/cli/picture.ts";
import { readSafetensors } from "../../src/nn/index.ts";
import { encodePng } from "../../src/view/index.ts";

const folder = mkdtempSync(join(tmpdir(), "aumann-test-"));
const [model, picture] = [join(folder, "model"), join(folder, "picture.png")];
afterAll(() => rmSync(folder, { recursive: true }));

interface Layer {
  readonly class_name: string;
  readonly config: Readonly<Record<string, unknown>>;
}

/** Two filters of 3 x 3 with ReLU, a mean over the picture, three classes. */
const layers: readonly Layer[] = [
  {
    class_name: "Conv2D",
    config: {
      name: "conv",
      filters: 2,
      kernel_size: [3, 3],
      strides: [1, 1],
      padding: "same",
      activation: "relu",
      use_bias: true,
      data_format: "channels_last",
      batch_input_shape: [null, 8, 8, 3],
      dtype: "float32",
    },
  },
  { class_name: "GlobalAveragePooling2D", config: { name: "mean", data_format: "channels_last" } },
  { class_name: "Dense", config: { name: "dense", units: 3, activation: "linear", use_bias: true } },
];
const weights = { "conv/kernel": [3, 3, 3, 2], "conv/bias": [2], "dense/kernel": [2, 3], "dense/bias": [3] };

beforeAll(async () => {
  mkdirSync(model);
  const manifest = Object.entries(weights).map(([name, shape]) => ({ name, shape, dtype: "float32" }));
  const json = {
    format: "layers-model",
    modelTopology: { class_name: "Sequential", config: layers },
    weightsManifest: [{ paths: ["w.bin"], weights: manifest }],
  };
  writeFileSync(join(model, "model.json"), JSON.stringify(json));
  const count = Object.values(weights).reduce((sum, shape) => sum + shape.reduce((a, b) => a * b), 0);
  writeFileSync(
    join(model, "w.bin"),
    new Uint8Array(Float32Array.from({ length: count }, (_, i) => Math.sin(1.7 * i + 0.4)).buffer),
  );
  writeFileSync(join(model, "classes.txt"), "one\nTwo\nthree\n");
  writeFileSync(
    picture,
    await encodePng({ width: 12, height: 8, data: Uint8Array.from({ length: 288 }, (_, i) => (i * 37) % 256) }),
  );
});

let printed: string[];
beforeEach(() => {
  printed = [];
  const keep = (text: unknown): boolean => printed.push(String(text)) > 0;
  vi.spyOn(console, "log").mockImplementation(keep);
  vi.spyOn(console, "error").mockImplementation(keep);
  vi.spyOn(process.stderr, "write").mockImplementation(() => true);
});
afterEach(() => vi.restoreAllMocks());

interface Summary {
  readonly scoreAtInput: number;
  readonly scoreAtBaseline: number;
  readonly sum: number;
  readonly delta: number;
  readonly target: { readonly index: number; readonly name: string };
  readonly steps: number;
}

describe("the command aumann", () => {
  test("explains a picture with a model of one's own", async () => {
    const out = join(folder, "out");
    expect(
      await main([
        "--model",
        model,
        "--image",
        picture,
        "--steps",
        "5",
        "--target",
        "two",
        "--baseline",
        "white",
        "--out",
        out,
      ]),
      printed.join(),
    ).toBe(0);

    const result = JSON.parse(readFileSync(join(out, "result.json"), "utf8")) as Summary;
    expect(result.target).toEqual({ index: 1, name: "Two" });
    expect(result.steps).toBe(5);
    expect(result.sum - result.delta).toBeCloseTo(result.scoreAtInput - result.scoreAtBaseline, 4);
    const { attributions, input, baseline } = readSafetensors(readFileSync(join(out, "attributions.safetensors")));
    expect(attributions!.shape).toEqual([1, 3, 8, 8]);
    expect((attributions!.data as Float32Array).reduce((a, b) => a + b, 0)).toBeCloseTo(result.sum, 4);
    expect(Math.max(...(input!.data as Float32Array))).toBeLessThanOrEqual(1);
    expect(new Set(baseline!.data as Float32Array)).toEqual(new Set([1]));

    for (const name of ["original", "ig-overlay", "ig-regions", "gradient"]) {
      expect(decodePicture(readFileSync(join(out, `${name}.png`)), name)).toMatchObject({ width: 448, height: 448 });
    }
    for (const name of ["interior.svg", "saturation.svg", "gradient-size.svg"])
      expect(readFileSync(join(out, name), "utf8")).toMatch(/^<svg .*<\/svg>\s*$/s);
    const page = readFileSync(join(out, "report.html"), "utf8");
    expect(page).toContain("Two");
    expect(page).not.toMatch(/<script|(?:src|href)="(?!data:)/);

    const text = printed.join("\n");
    for (const word of [
      "probability",
      "f(x)",
      "sum of attributions",
      "delta",
      "midpoint",
      "dispatches",
      "submits",
      "MiB",
      "adapter",
      "assumed",
    ])
      expect(text).toContain(word);
  });

  test.each([
    [
      "an unknown class",
      ["--target", "four"],
      /--target: the model has no class "four"; the likeliest are .*(one|Two|three)/,
    ],
    ["an index out of range", ["--target", "3"], /no class "3"/],
    [
      "names that are too few",
      ["--classes", "classes"],
      /there are 1 names of classes, but the model's output has 3 classes/,
    ],
  ])("%s ends with a sentence and status 1", async (_what, args, message) => {
    writeFileSync(join(folder, "classes"), "only\n");
    const given = args.map((arg) => (arg === "classes" ? join(folder, "classes") : arg));
    expect(await main(["--model", model, "--image", picture, "--out", join(folder, "never"), ...given])).toBe(1);
    expect(printed).toHaveLength(1);
    expect(printed[0]).toMatch(message);
    expect(printed[0]).not.toMatch(/\n| at /);
    expect(existsSync(join(folder, "never"))).toBe(false);
  });

  test("a model that leaves the size of its pictures open asks for it", async () => {
    const open = join(folder, "open");
    mkdirSync(open);
    const json = readFileSync(join(model, "model.json"), "utf8").replace("[null,8,8,3]", "[null,null,null,3]");
    writeFileSync(join(open, "model.json"), json);
    writeFileSync(join(open, "w.bin"), readFileSync(join(model, "w.bin")));
    const args = ["--model", open, "--image", picture, "--steps", "2", "--out", join(folder, "open-out")];
    expect(await main(args)).toBe(1);
    expect(printed[0]).toMatch(/leaves the size of its pictures open; say --preprocess size=HEIGHTxWIDTH/);
    expect(await main([...args, "--preprocess", "size=8x8,layout=NHWC"]), printed.join()).toBe(0);
  });

  test("a model whose shards are missing", async () => {
    const partial = join(folder, "partial");
    mkdirSync(partial);
    writeFileSync(join(partial, "model.json"), readFileSync(join(model, "model.json")));
    expect(await main(["--model", partial, "--image", picture])).toBe(1);
    expect(printed.join()).toMatch(/w.bin is missing/);
  });

  test.each([
    ["a missing picture", ["--image", join(folder, "gone.png")], /gone.png: there is no such file/],
    ["a folder as picture", ["--image", folder], /it is a folder/],
    ["no picture", ["--image", import.meta.filename], /is neither a PNG nor a JPEG picture/],
    ["no model", ["--model", "gone"], /there is no model "gone": give detypify, emotion, inception, a FILE/],
    ["a folder without a model", ["--model", folder], /holds no model.json/],
    ["a model without a picture", ["--model", model], /--image is missing/],
    ["a model of another kind", ["--model", import.meta.filename], /is no model: expected FILE.onnx/],
  ])("%s: status 1, before a device is opened", async (_what, args, message) => {
    expect(await main(args)).toBe(1);
    expect(printed).toHaveLength(1);
    expect(printed[0]).toMatch(message);
  });

  test("wrong arguments: status 2", async () => {
    expect(await main(["--steps", "none"])).toBe(2);
    expect(printed).toEqual([expect.stringMatching(/^aumann: --steps: expected a whole number/)]);
  });

  test("--help", async () => {
    expect(await main(["--help"])).toBe(0);
    expect(printed.join()).toContain("--baseline");
  });

  test("as a process of its own", () => {
    const { status, stderr, stdout } = spawnSync(
      process.execPath,
      ["scripts/run.mjs", "src/cli/main.ts", "--colour", "red"],
      { encoding: "utf8" },
    );
    expect({ status, stderr, stdout }).toEqual({
      status: 2,
      stderr: "aumann: Unknown option '--colour'; see --help\n",
      stdout: "",
    });
  });
});
