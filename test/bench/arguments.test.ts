import { expect, test } from "vitest";
import { parseArguments, UsageError } from "../../bench/arguments.ts";
import { workloads } from "../../bench/workloads/index.ts";

const KNOWN = ["hessian-16", "ig-mlp", "matmul-128"];
const parse = (...args: string[]) => parseArguments(args, KNOWN);

test("without arguments everything runs in Chrome, with peers, 15 times", () => {
  expect(parse()).toEqual({ names: KNOWN, runtime: "chrome", peers: true, reps: 15, list: false });
});

test("names and filters choose by any part of a name, in the order of the workloads", () => {
  expect(parse("mat", "hess").names).toEqual(["hessian-16", "matmul-128"]);
  expect(parse("--filter", "mlp", "mat").names).toEqual(["ig-mlp", "matmul-128"]);
});

test("peers need the browser", () => {
  expect(parse("--runtime", "node").peers).toBe(false);
  expect(parse("--no-peers")).toMatchObject({ runtime: "chrome", peers: false });
});

test("files and folders are passed on", () => {
  expect(parse("--nets", "n", "--json", "j", "--report", "r.html", "--reps", "3")).toMatchObject({
    ...{ nets: "n", json: "j", report: "r.html", reps: 3 },
  });
});

test.each([
  [["resnet"], /no workload is called like "resnet"; there are hessian-16, ig-mlp/],
  [["--reps", "0"], /--reps: expected a whole number >= 1, got "0"/],
  [["--reps", "2.5"], /--reps/],
  [["--runtime", "deno"], /--runtime: expected chrome or node, got "deno"/],
  [["--repz", "3"], /--repz/],
])("%j is refused", (args, message) => {
  expect(() => parse(...args)).toThrow(UsageError);
  expect(() => parse(...args)).toThrow(message);
});

test("workloads have different names, which can be typed", () => {
  const names = workloads.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
  for (const name of names) expect(name).toMatch(/^[a-z0-9-]+$/);
});
