// The memory plan of many programs, replayed step by step.
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { base } from "../../src/compiler/regions.ts";
import { bytesOf } from "../../src/compiler/plan.ts";
import { splitWorkgroups } from "../../src/compiler/executable.ts";
import { Program } from "../../src/compiler/program.ts";
import { packSaved } from "../../src/compiler/saved.ts";
import { constantPrimitive, inputPrimitive } from "../../src/graph/leaves.ts";
import { is, type Node } from "../../src/graph/node.ts";
import type { Graph } from "../../src/graph/trace.ts";
import type { Device } from "../../src/tensor/index.ts";
import { openValidationDevice } from "../gpu.ts";
import { batteryGraphs, graphs } from "./graphs.ts";

let device: Device;
beforeAll(async () => {
  device = await openValidationDevice();
});
afterAll(() => device.destroy());

const isBound = (node: Node): boolean => is(node, inputPrimitive) || is(node, constantPrimitive);

/** Problems of a program's plan: what a dispatch would find in its buffers if all ran in order. */
function problemsOf(program: Program): string[] {
  const problems: string[] = [];
  const { slots, slotOf } = program.memory;
  const holds = new Map<number, Node>();
  const written = new Set<Node>();
  program.steps.forEach((step, t) => {
    const complain = (what: string): void => void problems.push(`step ${t} (${step.label}) ${what}`);
    for (const node of step.reads) {
      if (isBound(node)) continue;
      const slot = slotOf.get(node);
      if (!written.has(node)) complain(`reads ${node.toString()} before it is written`);
      if (slot !== undefined && holds.get(slot) !== node) complain(`reads ${node.toString()} from a buffer used anew`);
      const clash = step.writes.find((w) => w === node || (slot !== undefined && slotOf.get(w) === slot));
      if (clash) complain(`binds the buffer of ${node.toString()} twice, once for writing`);
    }
    const places = step.writes.flatMap((w) => slotOf.get(w) ?? []);
    if (new Set(places).size < places.length) complain("writes two results to one buffer");
    for (const node of step.writes) {
      const slot = slotOf.get(node);
      if (slot !== undefined) holds.set(slot, node);
      if (slot !== undefined && slots[slot]! < bytesOf(node)) complain(`writes beyond its buffer`);
      if (written.has(node)) complain(`writes ${node.toString()} a second time`);
      written.add(node);
    }
    const buffers = step.bindings.filter(({ source }) => !Array.isArray(source));
    if (buffers.length > device.limits.maxStorageBuffersPerShaderStage) complain(`binds ${buffers.length} buffers`);
  });
  return problems;
}

describe("memory plan", () => {
  for (const [name, graph] of Object.entries(graphs)) {
    test(name, () => {
      for (const saved of [undefined, packSaved]) expect(problemsOf(new Program(device, graph, { saved }))).toEqual([]);
    });
  }

  test("of all battery cases", () => {
    expect(device.limits.maxStorageBuffersPerShaderStage).toBe(8);
    for (const [, graph] of batteryGraphs())
      for (const saved of [undefined, packSaved]) expect(problemsOf(new Program(device, graph, { saved }))).toEqual([]);
  });

  test("reuses buffers: a chain takes two, however long", () => {
    const { inputs, outputs } = graphs["recurrent network"]!;
    const { memory, steps } = new Program(device, { inputs, outputs });
    const stored = steps.flatMap((s) => s.writes).filter((node) => !outputs.map(base).includes(node));
    expect(memory.slots.length).toBeLessThan(stored.length / 2);
    const bytes = stored.reduce((sum, node) => sum + bytesOf(node), 0);
    expect(memory.scratchBytes).toBeLessThan(bytes);
  });

  test("counts outputs and uniform values beside it", () => {
    const graph: Graph = graphs["dense network"]!;
    const { memory, plan, recipe } = new Program(device, graph);
    // Blocks of uniform values begin at multiples of 256 bytes.
    const blocks = recipe.dispatches.flatMap(({ bindings }) => bindings.filter(([, source]) => Array.isArray(source)));
    const uniforms = 256 * (blocks.length - 1);
    expect(plan.bytes - memory.scratchBytes - 3 * 4 * 4).toBeGreaterThanOrEqual(uniforms);
    expect(plan.bytes - memory.scratchBytes - 3 * 4 * 4).toBeLessThan(1.25 * (uniforms + 256));
  });
});

describe("splitWorkgroups", () => {
  test("stays within the limit and covers the count with little excess", () => {
    for (const limit of [4, 65535]) {
      for (const count of [
        1,
        2,
        limit - 1,
        limit,
        limit + 1,
        2 * limit,
        2 * limit + 1,
        limit * limit - 1,
        limit * limit,
      ]) {
        const [x, y] = splitWorkgroups(count, limit);
        expect(Math.max(x, y)).toBeLessThanOrEqual(limit);
        expect(x * y).toBeGreaterThanOrEqual(count);
        expect(x * y - count).toBeLessThan(y);
      }
    }
  });
  test("dispatches something even for nothing", () => expect(splitWorkgroups(0, 65535)).toEqual([1, 1]));
});
