// npm run bench -- [NAME...] [FLAGS]: prints what was measured here and now. Compare only within one run on an idle machine.
import { existsSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { parseArguments, USAGE, UsageError, type Options } from "./arguments.ts";
import { openChrome } from "./chrome.ts";
import { nodeDriver, type Driver } from "./driver.ts";
import { htmlReport } from "./html.ts";
import type { Folders } from "./node-files.ts";
import type { Environment, RunResult, WorkloadResult } from "./result.ts";
import { adapterText, contestantTable, controlText, recordedTable, remarks, textTable } from "./table.ts";
import { workloads } from "./workloads/index.ts";

// The path of the source, not of the bundle that runs.
const folder = dirname(process.argv[1]!);
const DEFAULT_SHARED = process.env["AUMANN_SHARED"] ?? join(folder, "../../shared");

try {
  const options = parseArguments(
    process.argv.slice(2),
    workloads.map(({ name }) => name),
  );
  if (options.list) listWorkloads(options.names);
  else process.exitCode = (await runAll(options)) ? 0 : 1;
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`${error.message}\n\n${USAGE}`);
  process.exitCode = 2;
}
// Dawn keeps the process alive.
process.exit();

function listWorkloads(names: readonly string[]): void {
  for (const { name, about } of workloads) if (names.includes(name)) console.log(`${name}: ${about}`);
}

/** @returns whether all of this library's own results were correct */
async function runAll(options: Options): Promise<boolean> {
  const { runtime, peers, reps } = options;
  const folders = foldersOf(options);
  const { nets } = folders;
  const driver =
    runtime === "node" ? nodeDriver({ folders, reps }) : await openChrome({ folder, folders, peers, reps });
  try {
    const { adapter, control } = await driver.control();
    const versions = { node: process.version, ...driver.versions };
    const environment: Environment = {
      runtime,
      versions,
      adapter,
      reps,
      ...(nets !== undefined && { nets: relative(".", nets) }),
    };
    printEnvironment(environment);
    if (!peers) console.log(`no peers${runtime === "node" ? ": they need the browser" : ""}`);
    console.log(`control: ${controlText(control)}`);
    const results = await runEach(driver, options.names, control);
    const { control: controlAfter } = await driver.control();
    console.log(`\ncontrol again: ${controlText(controlAfter)}`);
    const run: RunResult = { environment, control, controlAfter, workloads: results };
    if (options.json !== undefined) writeFileSync(options.json, `${JSON.stringify(run, null, 2)}\n`);
    if (options.report !== undefined) writeFileSync(options.report, await htmlReport(run));
    return results.every(({ contestants }) => ["correct", "absent"].includes(contestants[0]!.verdict));
  } finally {
    await driver.close();
  }
}

async function runEach(
  driver: Driver,
  names: readonly string[],
  control: RunResult["control"],
): Promise<WorkloadResult[]> {
  const results: WorkloadResult[] = [];
  for (const name of names) {
    const result = await driver.run(name).catch((error: unknown) => failed(name, error));
    print(result, control);
    results.push(result);
  }
  return results;
}

/** A workload that could not even be prepared; the others run all the same. */
function failed(name: string, error: unknown): WorkloadResult {
  const { about } = workloads.find((workload) => workload.name === name)!;
  const failure = error instanceof Error ? error.message : String(error);
  const contestants = [{ name: "aumann", verdict: "failed", failure }] as const;
  return { name, about, source: "not prepared", truth: "none", tolerance: 0, contestants, tables: [] };
}

function foldersOf({ nets, shared }: Options): Folders {
  const found = folderOf("--shared", shared, DEFAULT_SHARED);
  return { shared: found, nets: folderOf("--nets", nets, found && join(found, "golden-bench")) };
}

function folderOf(flag: string, given: string | undefined, otherwise: string | undefined): string | undefined {
  if (given !== undefined && !existsSync(given)) throw new UsageError(`${flag}: there is no folder ${given}`);
  return given ?? (otherwise !== undefined && existsSync(otherwise) ? otherwise : undefined);
}

function printEnvironment({ adapter, runtime, versions, reps, nets }: Environment): void {
  console.log(`${adapterText(adapter)}; ${runtime}`);
  console.log(`${Object.entries(versions).flat().join(" ")}; ${reps} calls of each`);
  console.log(
    nets === undefined ? "networks: seeded weights" : `networks: golden cases of ${nets} where they are there`,
  );
}

function print(result: WorkloadResult, control: RunResult["control"]): void {
  const { name, about, recorded, tables } = result;
  const table = contestantTable(result, control);
  console.log(`\n${name}: ${about}\n  ${table.caption}\n${textTable(table)}`);
  for (const line of remarks(result)) console.log(`  ${line}`);
  for (const table of [...(recorded ? [recordedTable(recorded)] : []), ...tables]) {
    console.log(`\n  ${table.caption}\n${textTable(table)}`);
  }
}
