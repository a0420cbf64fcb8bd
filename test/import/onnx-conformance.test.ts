import { describe, expect, test } from "vitest";
import { AumannError } from "../../src/tensor/errors.ts";
import { testDevice } from "../gpu.ts";
import { debianFile } from "./materials.ts";
import { deviation, nodeTests } from "./onnx-node-tests.ts";

/** What is refused, with the reason in the message. Everything else must be right. */
const refused = [
  /_3d/,
  /select_last_index/,
  /training/,
  /^test_(ceil|floor)/,
  /^test_convtranspose_(autopad_same|kernel_shape|output_shape|with_kernel)/,
  /^test_(edge|reflect)_pad/,
  /^test_max_(int|uint)|^test_maxpool_(2d_uint8|with_argmax)/,
  /^test_mod_mixed_sign_float/,
  /^test_pow_types_(int|float$)/,
  /^test_range_float/,
  /^test_reduce_prod/,
  /_with_peepholes$/,
];
/** 16-bit floats are computed as f32, which rounds less. */
const unrounded = /^test_cast.*_to_B?FLOAT16/;

describe("ONNX conformance tests", () => {
  test("every operator of the table computes what ONNX says, or refuses", async () => {
    const folder = debianFile("libonnx-testdata", "usr/share/libonnx-testdata/data/node");
    if (folder === undefined) return;
    const device = await testDevice();
    const wrong: string[] = [];
    let right = 0;
    for (const node of nodeTests(folder)) {
      if (
        unrounded.test(node.name) ||
        /^test_castlike.*BFLOAT16/.test(node.name) ||
        node.name === "test_cast_BFLOAT16_to_FLOAT"
      )
        continue;
      const error = await deviation(device, node).catch((reason: unknown) => reason);
      if (typeof error === "number" && error < 1e-4) right++;
      else if (!(error instanceof AumannError && refused.some((name) => name.test(node.name))))
        wrong.push(`${node.name}: ${String(error)}`);
    }
    expect(wrong).toEqual([]);
    expect(right).toBeGreaterThan(450);
  });
});
