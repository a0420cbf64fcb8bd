import { jit, nn, vjp, type Array } from "@jax-js/jax";
import type { RowsTask, Run } from "../task.ts";
import { upload } from "./jax-net.ts";

/** Softmax or layer norm of each row, or its vector-Jacobian product. */
export function rows({ operation, role, x, y, scale, offset, epsilon }: RowsTask): Run {
  const forward = (x: Array, scale: Array, offset: Array): Array =>
    operation === "softmax" ? nn.softmax(x, -1) : nn.standardize(x, -1, { epsilon }).mul(scale.ref).add(offset.ref);
  const [input, cotangent] = [upload(x), upload(y)];
  const constants: [Array, Array] = [upload(scale), upload(offset)];
  if (role === "forward") {
    const program = jit((x: Array, scale: Array, offset: Array) => {
      const result = forward(x, scale, offset);
      [scale, offset].forEach((array) => array.dispose());
      return result;
    });
    return () => program(input.ref, constants[0].ref, constants[1].ref).data();
  }
  const program = jit((x: Array, ct: Array, scale: Array, offset: Array) => {
    const [value, back] = vjp((z) => forward(z, scale, offset), [x]);
    const [result] = back(ct);
    [value, scale, offset].forEach((array) => array.dispose());
    return result;
  });
  return () => program(input.ref, cotangent.ref, constants[0].ref, constants[1].ref).data();
}
