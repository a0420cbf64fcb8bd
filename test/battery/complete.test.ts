// No operation without a battery entry, no primitive that the battery does not reach or double precision does not define.
import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { jvpGraph } from "../../src/autograd/jvp.ts";
import { vjpGraph } from "../../src/autograd/transpose.ts";
import { input } from "../../src/graph/leaves.ts";
import type { Node } from "../../src/graph/node.ts";
import type { Primitive } from "../../src/graph/primitive.ts";
import { reachable, trace } from "../../src/graph/trace.ts";
import * as operations from "../../src/kernels/index.ts";
import type { BatteryCase } from "../../src/kernels/battery.ts";
import { definitions } from "../../src/reference/definitions.ts";
import { batteries, families } from "./all.ts";

/** Exported functions that build operations or rules rather than being operations. */
const HELPERS = ["addPresent", "broadcasted", "elementwise", "refill", "spread", "sumRange"];

const folder = new URL("../../src/kernels/", import.meta.url);
const files = readdirSync(folder).filter((file) => file.endsWith(".ts"));

async function primitives(): Promise<Map<string, Primitive>> {
  const families = files.filter((file) => !file.endsWith("battery.ts"));
  const modules = await Promise.all(families.map((file) => import(/* @vite-ignore */ `../../src/kernels/${file}`)));
  return new Map(
    modules.flatMap((m: Record<string, Primitive>) => Object.entries(m).filter(([name]) => name.endsWith("Primitive"))),
  );
}

/** What a case, its derivatives and their derivatives are made of. */
function nodesOf({ fn, inputs: specs }: BatteryCase): Node[] {
  const { inputs, outputs } = trace(fn, specs);
  const like = (x: Node): Node | null => (x.dtype === "f32" ? input(x.shape) : null);
  const gradient = vjpGraph(outputs, inputs, outputs.map(like)).filter((g) => g !== null);
  const product = jvpGraph(gradient, inputs, inputs.map(like)).filter((g) => g !== null);
  return reachable([...outputs, ...gradient, ...product]);
}

test("every operation has at least three cases", () => {
  const names = Object.entries(operations).flatMap(([name, value]) =>
    typeof value === "function" && !HELPERS.includes(name) ? [name] : [],
  );
  expect(names.filter((name) => (batteries[name]?.length ?? 0) < 3)).toEqual([]);
});

test("every family's battery takes part", () => {
  const named = files.flatMap((file) => /^(.+)\.battery\.ts$/.exec(file)?.[1] ?? []);
  expect(Object.keys(families).sort()).toEqual(named.sort());
});

test("the battery reaches every primitive", async () => {
  const reached = new Set(
    Object.values(batteries)
      .flat()
      .flatMap(nodesOf)
      .map((node) => node.primitive.uid),
  );
  const missed = [...(await primitives())].filter(([, { uid }]) => !reached.has(uid));
  expect(missed.map(([name]) => name)).toEqual([]);
});

test("every primitive has a definition in double precision", async () => {
  const missing = [...(await primitives())].filter(([, primitive]) => !definitions.has(primitive));
  expect(missing.map(([name]) => name)).toEqual([]);
});
