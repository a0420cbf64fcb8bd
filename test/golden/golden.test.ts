// Golden cases in CI: the library against results that independent programs computed in double precision. This is a
// subset, one case for each kind of layer and method; `npm run golden -- FOLDER` runs any folder of cases in full.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { withCleanDevice } from "../gpu.ts";
import { readCase, type Case } from "./case.ts";
import { checkCase, largestError, passes } from "./check.ts";

