// npm run golden -- FOLDER [--models DIR] [--filter TEXT]: compares the library with every golden case in a folder.
// Nothing is skipped: what the library cannot do is a failure. Exit status 1 if any case fails.
import { resolve } from "node:path";
import { parseArgs } from "node:util";
import { openDevice } from "../../src/tensor/index.ts";
import { findCases, readCase } from "./case.ts";
import { checkCase, passes, type Check } from "./check.ts";
import { checkRealModel, isRealModel } from "./real-model.ts";

const USAGE = "usage: npm run golden -- FOLDER [--models DIR (default ../shared/data)] [--filter TEXT]";

async function main(args: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { models: { type: "string", default: "../shared/data" }, filter: { type: "string", default: "" } },
  });
  const [folder, ...others] = positionals;
  if (folder === undefined || others.length > 0) {
    console.error(USAGE);
    return 2;
  }
  const folders = (await findCases(resolve(folder))).filter((path) => path.includes(values.filter));
  if (folders.length === 0) {
    console.error(
      `no case ${values.filter ? `with "${values.filter}" in its name ` : ""}in ${folder}; a case is a folder with case.json and tensors.safetensors`,
    );
    return 2;
  }
  const device = await openDevice();
  let failed = 0;
  for (const [i, path] of folders.entries()) {
    progress(`${i + 1} of ${folders.length}: ${path}`);
    const started = performance.now();
    const { name, checks } = await run(path, resolve(values.models));
    progress("");
    if (!checks.every(passes)) failed++;
    console.log(line(name, checks, (performance.now() - started) / 1000));
  }
  console.log(`${folders.length - failed} passed, ${failed} failed`);
  device.destroy();
  return failed > 0 ? 1 : 0;

  async function run(path: string, models: string): Promise<{ name: string; checks: Check[] }> {
    try {
      const case_ = await readCase(path);
      const checks = isRealModel(case_) ? await checkRealModel(device, case_, models) : await checkCase(device, case_);
      return { name: case_.name, checks };
    } catch (error) {
      return { name: path, checks: [{ id: "case", ratio: Infinity, reason: String(error) }] };
    }
  }
}

/** Result, name, worst quantity, its error / tolerance, seconds; for a failure also how many quantities failed, and why. */
function line(name: string, checks: readonly Check[], seconds: number): string {
  const worst = checks.reduce((a, b) => (b.ratio > a.ratio ? b : a));
  const failures = checks.filter((check) => !passes(check));
  const text = `${failures.length > 0 ? "FAIL" : "pass"} ${name.padEnd(40)} ${worst.id.padEnd(30)} ${ratio(worst)}  ${seconds.toFixed(1).padStart(5)} s`;
  if (failures.length === 0) return text;
  return `${text}\n     ${failures.length} of ${checks.length} quantities failed:\n${details(failures)}`;
}

/** Failures, those with one reason on one line. */
function details(failures: readonly Check[]): string {
  const byReason = new Map<string, string[]>();
  for (const { id, ratio: size, reason = `error ${size.toPrecision(3)} times the tolerance` } of failures) {
    byReason.set(reason, [...(byReason.get(reason) ?? []), id]);
  }
  return [...byReason].map(([reason, ids]) => `       ${shortened(ids)}: ${reason}`).join("\n");
}

const shortened = (ids: readonly string[]): string =>
  ids.length <= 4 ? ids.join(", ") : `${ids.slice(0, 3).join(", ")} and ${ids.length - 3} more`;

const ratio = ({ ratio: r }: Check): string => (Number.isFinite(r) ? r.toPrecision(3) : "-").padStart(8);

/** One line that is overwritten; nothing if the output is not a terminal. */
function progress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\x1b[K${text}`);
}

process.exit(await main(process.argv.slice(2)));
