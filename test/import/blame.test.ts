import { expect, test } from "vitest";
import { blaming, wellFormed } from "../../src/nn/import/blame.ts";
import { DeviceLostError, FormatError, LimitError, ShapeError } from "../../src/tensor/errors.ts";

const failing = (error: Error) => (): never => {
  throw error;
};

test.each([new ShapeError("2 is not 3"), new TypeError("2 is not 3"), new RangeError("2 is not 3")])(
  "what does not fit is blamed on the file: %s",
  (error) => {
    const work = (): void => blaming("onnx", "Add", 'node "sum"', failing(error));
    expect(work).toThrow(FormatError);
    expect(work).toThrow('onnx: Add node "sum": 2 is not 3');
    if (!(error instanceof ShapeError)) expect(() => wellFormed("model.json", failing(error))).toThrow(/damaged/);
  },
);

test.each([new LimitError("too large"), new DeviceLostError("gone"), new Error("a bug")])(
  "trouble that another file would have as well is passed on: %s",
  (error) => expect(() => blaming("onnx", "Add", 'node "sum"', failing(error))).toThrow(error),
);

test("the innermost place is told once", () => {
  const inner = new FormatError('onnx: Add node "sum": 2 is not 3');
  expect(() => blaming("onnx", "Add", 'node "sum"', failing(inner))).toThrow(inner);
});
