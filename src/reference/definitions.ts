// All definitions of the built-in primitives, by record.
import type { Definitions } from "./definition.ts";
import { elementwiseDefinitions } from "./elementwise.ts";
import { movementDefinitions } from "./movement.ts";

export const definitions: Definitions = new Map([...elementwiseDefinitions, ...movementDefinitions]);
