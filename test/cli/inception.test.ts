import { readFileSync } from "node:fs";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { parseArguments } from "../../src/cli/arguments.ts";
import { exportedLiteral } from "../../src/cli/inception.ts";
import { chooseModel } from "../../src/cli/models.ts";
import { decodePicture, pictureInput } from "../../src/cli/picture.ts";
import { compile } from "../../src/compiler/program.ts";
import { modelFunction } from "../../src/nn/model.ts";
import { FormatError } from "../../src/tensor/errors.ts";
import { withCleanDevice } from "../gpu.ts";

const script = (literal: string): string =>
  `!function(a){"object"==typeof exports?module.exports=a():window.m=a()}(function(){return function a(n){}({1:[function(a,n,i){n.exports=${literal}},{}]},{},[1])(1)});`;

describe("scripts that export a literal", () => {
  test("are read as JavaScript would read them", () => {
    const literal = `{a:"b:!0 .5 {c:1}",$d_1:[-.5,1.25,.5e-3,1e3,0],e:{f:!0,g:!1,h:null},i:"\\"j:.5\\\\",k:{}}`;
    // Written here, so it may run.
    const truth = runInNewContext(`(${literal})`) as unknown;
    expect(exportedLiteral(script(literal), "m.js")).toEqual(truth);
    expect(exportedLiteral(script('"c2hhcmQ="'), "m.js")).toBe("c2hhcmQ=");
  });

  test.each(["f()", "{a:b()}", '"cut', "{a:1}+{}", "`x`"])("what is no literal is refused, not run: %s", (code) => {
    expect(() => exportedLiteral(script(code), "m.js")).toThrow(FormatError);
    expect(() => exportedLiteral(code, "m.js")).toThrow(/m\.js is no script that exports one literal/);
  });
});

test("Inception V3: the logits of a face are those of TensorFlow.js", () =>
  withCleanDevice(async (device) => {
    const chosen = await chooseModel(parseArguments(["--model", "inception"]));
    const { model, format } = await chosen.load(device, { note: () => undefined });
    expect(model.inputs).toEqual([{ name: "input_1", shape: [3, 299, 299], dtype: "f32" }]);
    const picture = decodePicture(readFileSync("assets/astronaut-face.png"), "the face");
    const shape = [1, 3, 299, 299];
    const x = device.tensor(pictureInput(picture, format).data, shape);
    const [logits] = await compile(device, modelFunction(model), [{ shape }]).runAndRead([x]);
    // tfjs-layers 4.22, backend cpu, with a linear last layer.
    const truth = [-1.86627, -2.26411, 7.53142, 1.3261, -2.41317];
    truth.forEach((z, k) => expect(logits!.data[k]).toBeCloseTo(z, 3));
    expect(model.classes![logits!.data.indexOf(Math.max(...logits!.data))]).toBe("Neutral");
    x.dispose();
    model.dispose();
  }));
