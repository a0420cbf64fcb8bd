// All battery entries, by operation.
import { battery as activations } from "../../src/kernels/activations.battery.ts";
import { battery as conv } from "../../src/kernels/conv.battery.ts";
import { battery as elementwise } from "../../src/kernels/elementwise.battery.ts";
import { battery as gather } from "../../src/kernels/gather.battery.ts";
import { battery as lstm } from "../../src/kernels/lstm.battery.ts";
import { battery as matmul } from "../../src/kernels/matmul.battery.ts";
import { battery as movement } from "../../src/kernels/movement.battery.ts";
import { battery as norm } from "../../src/kernels/norm.battery.ts";
import { battery as pool } from "../../src/kernels/pool.battery.ts";
import { battery as reduce } from "../../src/kernels/reduce.battery.ts";
import { battery as softmax } from "../../src/kernels/softmax.battery.ts";
import type { Battery } from "../../src/kernels/battery.ts";

/** One record per family, as its file exports it. */
export const families: Readonly<Record<string, Battery>> = {
  elementwise,
  activations,
  movement,
  matmul,
  conv,
  pool,
  reduce,
  softmax,
  norm,
  gather,
  lstm,
};

export const batteries: Battery = Object.assign({}, ...Object.values(families)) as Battery;
