// Competition for pixels. Where two labels are all but equal, rounding decides: such coordinates are not compared.
import { cgi, gradientXInput } from "../../../src/attribution/index.ts";
import type { HostArray } from "../../../src/tensor/index.ts";
import type { Context, Quantity, Result } from "../context.ts";
import { ofInput, swapped } from "./integrated-gradients.ts";

/** Every coordinate competes by itself; channels are coordinates. */
const reduce = "none";

export const competitionQuantities: Readonly<Record<string, Quantity>> = {
  gradient_x_input_all_labels: async (c, e) =>
    swapped(ofInput(c, e, await gradientXInput(c.model, c.arrays(), { ...c.options(), target: "all" }))),

  cgi: async (c, e) => withoutTies(c, ofInput(c, e, await cgi(c.model, c.arrays(), { ...c.options(), reduce }))),

  cgi_all_labels: async (c, e) => {
    const result = await cgi(c.model, c.arrays(), { ...c.options(), target: "all", reduce });
    return withoutTies(c, swapped(ofInput(c, e, result)));
  },
};

/** @param result [B, ...] or [B, K, ...]; the mask is [B, ...] */
function withoutTies(c: Context, { shape, data }: HostArray): Result {
  const mask = c.array(c.parameter("near_tie_mask")).data;
  const size = mask.length / shape[0]!;
  const labels = data.length / mask.length;
  return { shape, data, skips: (i) => mask[Math.floor(i / (size * labels)) * size + (i % size)] !== 0 };
}
