// Every operator that is understood, by name. The one table by name of this package: names are all that a file has.
import { controlOperators } from "./ops-control.ts";
import { elementwiseOperators } from "./ops-elementwise.ts";
import { layerOperators } from "./ops-layers.ts";
import { movementOperators } from "./ops-movement.ts";
import { recurrentOperators } from "./ops-recurrent.ts";
import { reduceOperators } from "./ops-reduce.ts";
import type { Operator } from "./call.ts";

export const operators: ReadonlyMap<string, Operator> = new Map(
  [
    elementwiseOperators,
    layerOperators,
    recurrentOperators,
    movementOperators,
    reduceOperators,
    controlOperators,
  ].flatMap(Object.entries),
);
