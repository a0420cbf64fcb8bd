import * as nn from "../../src/nn/index.ts";
