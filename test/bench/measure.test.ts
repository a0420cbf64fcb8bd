import { expect, test } from "vitest";
import { GpuCounters, writtenBytes, type Meter } from "../../bench/counters.ts";
import { measure } from "../../bench/measure.ts";
import type { Peer, Run } from "../../bench/task.ts";
import type { Files, Prepared, Workload } from "../../bench/workload.ts";
import { hostArray } from "../../src/tensor/index.ts";
import { openValidationDevice, testDevice } from "../gpu.ts";

const noFiles: Files = {
  golden: () => Promise.resolve(undefined),
  npm: () => Promise.reject(new Error("no files here")),
  asset: () => Promise.reject(new Error("no pictures here")),
  shared: () => Promise.resolve(undefined),
};
const zero = { dispatches: 0, submits: 0, readbacks: 0, pipelines: 0, building: 0, bytesUploaded: 0, bytesRead: 0 };
const meter: Meter = { memory: { live: 0, peak: 0 }, mark: () => zero, since: () => zero };

const one = hostArray([1], [1, 1]);
const workload = (calls: string[]): Workload => ({
  name: "test",
  about: "a product",
  prepare: () =>
    Promise.resolve({
      ...{ source: "here", tolerance: 1e-3 },
      truth: {
        source: "known",
        data: () => {
          calls.push("truth");
          return [2, 4];
        },
      },
      task: { kind: "matmul", a: one, b: one },
      own: [
        {
          name: "own",
          run: () => {
            calls.push("own");
            return Promise.resolve({ data: [2, 4.001], facts: { nodes: 3 } });
          },
        },
      ],
      dispose: () => calls.push("disposed"),
    }),
});

const peer = (name: string, calls: string[], run: Run, open = () => Promise.resolve()): Peer => ({
  ...{ name, version: "1", open },
  programs: {
    matmul: () => () => {
      calls.push(name);
      return run();
    },
  },
});

const run = async (calls: string[], peers: readonly Peer[], reps = 2) =>
  measure(workload(calls), { device: await testDevice(), counters: meter, files: noFiles, peers, reps });

test("calls take turns: a first one before anything else, two to warm up, then the measured ones in any order", async () => {
  const calls: string[] = [];
  const { contestants } = await run(calls, [peer("other", calls, () => Promise.resolve([2, 4]))], 20);
  expect(calls.splice(0, 7)).toEqual(["own", "other", "truth", "own", "other", "own", "other"]);
  expect(calls.pop()).toBe("disposed");
  const rounds = Array.from({ length: 20 }, (_, i) => calls.slice(2 * i, 2 * i + 2).join());
  expect(calls.length).toBe(40);
  expect(new Set(rounds)).toEqual(new Set(["own,other", "other,own"]));
  expect(contestants.map(({ name, times }) => [name, times!.length])).toEqual([
    ["own", 20],
    ["other 1", 20],
  ]);
  expect(contestants[0]).toMatchObject({ verdict: "correct", facts: { nodes: 3 } });
  expect(contestants[0]!.error).toBeCloseTo(0.001 / 4, 9);
});

test("the first call is compared with the truth as well", async () => {
  let count = 0;
  const later: Run = () => Promise.resolve(++count === 1 ? [2, 5] : [2, 4]);
  const { contestants } = await run([], [peer("other", [], later)]);
  expect(contestants[1]).toMatchObject({ verdict: "wrong", error: 0.25 });
});

test("one wrong call of many makes a contestant wrong", async () => {
  let count = 0;
  const sometimes: Run = () => Promise.resolve(++count === 4 ? [2, 5] : [2, 4]);
  const { contestants } = await run([], [peer("other", [], sometimes)]);
  expect(contestants[1]).toMatchObject({ verdict: "wrong", error: 0.25 });
});

test("a result that is not finite is wrong, as JSON can say it", async () => {
  const { contestants } = await run([], [peer("other", [], () => Promise.resolve([2, NaN]))]);
  expect(contestants[1]).toMatchObject({ verdict: "wrong", error: null });
});

test("a contestant that throws is reported with its error and not called again", async () => {
  const calls: string[] = [];
  const { contestants } = await run(calls, [peer("other", calls, () => Promise.reject(new Error("no gradient")))]);
  expect(contestants[1]).toEqual({ name: "other 1", verdict: "failed", failure: "Error: no gradient" });
  expect(calls.filter((name) => name === "other")).toHaveLength(1);
  expect(contestants[0]!.verdict).toBe("correct");
});

test("so is one that cannot start; one without a program does not take part", async () => {
  const dead = peer(
    "dead",
    [],
    () => Promise.resolve([]),
    () => Promise.reject(new Error("no WebGPU")),
  );
  const { contestants } = await run([], [dead, { ...dead, name: "idle", programs: {} }]);
  expect(contestants.map(({ name }) => name)).toEqual(["own", "dead 1"]);
  expect(contestants[1]!.failure).toBe("Error: no WebGPU");
});

test("a workload says what it lacks, and why peers cannot take part", async () => {
  const other = peer("other", [], () => Promise.resolve([]));
  const setting = { device: await testDevice(), counters: meter, files: noFiles, peers: [other], reps: 1 };
  const absent: Workload = { ...workload([]), prepare: () => Promise.resolve({ absent: "no model" }) };
  const lacking = await measure(absent, setting);
  expect(lacking.contestants).toEqual([{ name: "aumann", verdict: "absent", failure: "no model" }]);
  const alone: Workload = {
    ...workload([]),
    async prepare(lab) {
      const { task, ...prepared } = (await workload([]).prepare(lab)) as Prepared;
      expect(task).toBeDefined();
      return { ...prepared, withoutPeers: "they read no files" };
    },
  };
  const { contestants } = await measure(alone, setting);
  expect(contestants[0]!.verdict).toBe("correct");
  expect(contestants[1]).toEqual({ name: "other 1", verdict: "absent", failure: "they read no files" });
});

test("counters see what any device is asked for, and leave no trace", async () => {
  const device = await openValidationDevice();
  const { gpu } = device;
  const original = Object.getPrototypeOf(gpu.queue) as GPUQueue;
  const { submit } = original;
  const counters = new GpuCounters(gpu);
  const mark = counters.mark();
  const usage = 4 | 8;
  const buffer = gpu.createBuffer({ size: 64, usage });
  gpu.queue.writeBuffer(buffer, 0, new Float32Array(6), 1, 4);
  gpu.createBuffer({ size: 32, usage, mappedAtCreation: true }).destroy();
  const encoder = gpu.createCommandEncoder();
  gpu.queue.submit([encoder.finish()]);
  expect(counters.since(mark)).toEqual({ ...zero, submits: 1, bytesUploaded: 16 + 32 });
  expect(counters.memory).toEqual({ live: 64, peak: 96 });
  buffer.destroy();
  buffer.destroy();
  expect(counters.memory.live).toBe(0);
  counters[Symbol.dispose]();
  expect(original.submit).toBe(submit);
  device.destroy();
});

test("bytes of writeBuffer: elements of typed arrays, bytes of buffers", () => {
  expect(writtenBytes([null, 0, new Float32Array(5)])).toBe(20);
  expect(writtenBytes([null, 0, new Float32Array(5), 2])).toBe(12);
  expect(writtenBytes([null, 0, new Uint16Array(5), 1, 3])).toBe(6);
  expect(writtenBytes([null, 0, new ArrayBuffer(16), 4])).toBe(12);
});
