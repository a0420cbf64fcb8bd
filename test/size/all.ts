// Everything but the readers that need an optional peer: nothing can be left out.
import * as core from "../../src/index.ts";
import * as attribution from "../../src/attribution/index.ts";
import * as nn from "../../src/nn/index.ts";
import * as view from "../../src/view/index.ts";

console.log(core, attribution, nn, view);
