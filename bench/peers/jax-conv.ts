import { jit, lax, vjp, type Array } from "@jax-js/jax";
import type { ConvTask, Run } from "../task.ts";
import { upload } from "./jax-net.ts";

/** The convolution itself, or its transpose in one operand. */
export function conv({ role, x, w, y, stride, padding }: ConvTask): Run {
  const sides: [number, number] = [padding, padding];
  const forward = (x: Array, w: Array): Array => lax.convGeneralDilated(x, w, [stride, stride], [sides, sides]);
  const [input, weight] = [upload(x), upload(w)];
  if (role === "forward") {
    const program = jit(forward);
    return () => program(input.ref, weight.ref).data();
  }
  const cotangent = upload(y);
  const program = jit((x: Array, w: Array, ct: Array) => {
    const [from, other] = role === "input-gradient" ? [x, w] : [w, x];
    const [value, back] = vjp(
      (z) => (role === "input-gradient" ? forward(z, other.ref) : forward(other.ref, z)),
      [from],
    );
    value.dispose();
    const [result] = back(ct);
    other.dispose();
    return result;
  });
  return () => program(input.ref, weight.ref, cotangent.ref).data();
}
