import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { factsBeside, parseFacts, pictureFormat, readClasses } from "../../src/cli/preprocess.ts";
import { ArgumentError, FormatError } from "../../src/tensor/errors.ts";

const folders: string[] = [];
let folder: string;
beforeEach(() => void folders.push((folder = mkdtempSync(join(tmpdir(), "aumann-test-")))));
afterAll(() => folders.forEach((path) => rmSync(path, { recursive: true })));
const write = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text);
  return join(folder, name);
};

describe("facts about a model", () => {
  test("from the command line", () => {
    expect(parseFacts(["scale=1/127.5,offset=-1", "channels=bgr,size=64x32"])).toEqual({
      scale: 1 / 127.5,
      offset: -1,
      channels: "bgr",
      size: [64, 32],
    });
    expect(parseFacts([])).toEqual({});
  });

  test.each([
    [["mean=3"], /no "mean"; known are scale/],
    [["scale"], /expected key=value, got "scale"/],
    [["scale=0"], /scale cannot be 0/],
    [["scale=1/0"], /scale cannot be/],
    [["offset="], /offset cannot be/],
    [["channels=cmyk"], /channels cannot be "cmyk"/],
    [["size=64"], /size cannot be/],
  ])("%j is refused", (texts, message) => {
    expect(() => parseFacts(texts)).toThrow(ArgumentError);
    expect(() => parseFacts(texts)).toThrow(message);
  });

  test("from files beside the model", () => {
    expect(factsBeside(join(folder, "aumann.json"))).toEqual({});
    write("labels.txt", "cat\r\ndog\n");
    expect(factsBeside(join(folder, "aumann.json"))).toEqual({ classes: ["cat", "dog"] });
    write("names.json", '["a", "b"]');
    const file = write("aumann.json", '{ "scale": 2, "classes": "names.json" }');
    expect(factsBeside(file)).toEqual({ scale: 2, classes: ["a", "b"] });
    expect(factsBeside(write("x.aumann.json", '{ "classes": ["p"] }'))).toEqual({ classes: ["p"] });
  });

  test("broken files are refused", () => {
    expect(() => factsBeside(write("aumann.json", "{"))).toThrow(FormatError);
    expect(() => factsBeside(write("aumann.json", "[]"))).toThrow(/must hold one JSON object/);
    expect(() => factsBeside(write("aumann.json", '{ "classes": 5 }'))).toThrow(/classes cannot be 5/);
    expect(() => factsBeside(write("aumann.json", '{ "classes": "gone.txt" }'))).toThrow(/there is no file .*gone.txt/);
    expect(() => factsBeside(write("aumann.json", '{ "classes": "../up.txt" }'))).toThrow(/leads out of the folder/);
    expect(() => readClasses(write("c.json", "{}"))).toThrow(/must hold a JSON list/);
  });
});

describe("pictureFormat", () => {
  test("what the shape says", () => {
    expect(pictureFormat([3, 20, 30], {})).toEqual({
      layout: "CHW",
      width: 30,
      height: 20,
      channels: "rgb",
      scale: 1 / 255,
      offset: 0,
    });
    expect(pictureFormat([20, 30, 1], {})).toMatchObject({ layout: "HWC", width: 30, height: 20, channels: "grey" });
    expect(pictureFormat([3, 3, 3], { layout: "NHWC" })).toMatchObject({ layout: "HWC" });
  });

  test("inputs that are no pictures, and facts that do not fit", () => {
    expect(() => pictureFormat([10], {})).toThrow(/takes \[batch, 10\], which is no picture/);
    expect(() => pictureFormat([3, 20, 30], { channels: "grey" })).toThrow(/do not fit/);
  });
});
