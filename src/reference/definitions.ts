// All definitions of the built-in primitives, by record.
import { contractionDefinitions } from "./contraction.ts";
import type { Definitions } from "./definition.ts";
import { elementwiseDefinitions } from "./elementwise.ts";
import { gatherDefinitions } from "./gather.ts";
import { movementDefinitions } from "./movement.ts";
import { recurrentDefinitions } from "./recurrent.ts";
import { sequenceDefinitions } from "./recurrent-sequence.ts";
import { reductionDefinitions } from "./reduction.ts";
import { windowDefinitions } from "./window.ts";

export const definitions: Definitions = new Map([
  ...elementwiseDefinitions,
  ...movementDefinitions,
  ...contractionDefinitions,
  ...windowDefinitions,
  ...reductionDefinitions,
  ...gatherDefinitions,
  ...recurrentDefinitions,
  ...sequenceDefinitions,
]);
