import { describe, expect, test } from "vitest";
import { OPTION_NAMES, parseArguments, USAGE } from "../../src/cli/arguments.ts";
import { ArgumentError } from "../../src/tensor/errors.ts";

describe("arguments", () => {
  test("nothing given means detypify, black baseline, folder out", () => {
    expect(parseArguments([])).toEqual({
      help: false,
      model: "detypify",
      score: "logit",
      baseline: "black",
      out: "out",
      preprocess: [],
      beta: 10,
    });
  });

  test("everything given", () => {
    const line =
      "--model m.onnx --image a.png --target 3 --score probability --baseline blur --rule midpoint --steps 7 --tolerance 0.01 --interactions 8 --beta 20 " +
      "--preprocess scale=1 --preprocess offset=-1 --classes c.txt --output y --out here";
    expect(parseArguments(line.split(" "))).toEqual({
      help: false,
      model: "m.onnx",
      image: "a.png",
      target: "3",
      score: "probability",
      baseline: "blur",
      rule: "midpoint",
      steps: 7,
      tolerance: 0.01,
      interactions: 8,
      beta: 20,
      preprocess: ["scale=1", "offset=-1"],
      classes: "c.txt",
      output: "y",
      out: "here",
    });
  });

  test.each([
    [["--colour"], /Unknown option '--colour'; see --help/],
    [["picture.png"], /Unexpected argument 'picture.png'/],
    [["--steps"], /--steps .*missing/],
    [["--steps", "many"], /--steps: expected a whole number from 1 to 4096, got "many"/],
    [["--steps", "2.5"], /--steps.*"2.5"/],
    [["--steps", ""], /--steps.*""/],
    [["--tolerance", "-1"], /--tolerance: expected a number above 0, got "-1"/],
    [["--tolerance", "Infinity"], /--tolerance.*Infinity/],
    [["--interactions", "0"], /--interactions: expected a whole number of pixels from 1 on, got "0"/],
    [["--beta", "0"], /--beta: expected a number above 0, got "0"/],
    [["--rule", "simpson"], /--rule: expected gauss-legendre, .*, got "simpson"/],
    [["--baseline", "grey"], /--baseline: expected black, white, blur, noise, got "grey"/],
    [["--score", "softmax"], /--score: expected logit, probability, got "softmax"/],
    [["--out", ""], /--out is empty/],
  ])("%j is refused in one sentence", (args, message) => {
    expect(() => parseArguments(args)).toThrow(ArgumentError);
    expect(() => parseArguments(args)).toThrow(message);
    try {
      parseArguments(args);
    } catch (error) {
      expect((error as Error).message).not.toContain("\n");
    }
  });

  test("the help text has every option", () => {
    for (const name of OPTION_NAMES) expect(USAGE).toContain(`--${name}`);
  });
});
