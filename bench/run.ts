// npm run bench -- [--filter TEXT] [--reps N] [--json FILE] [--nets FOLDER]
//
// Prints what was measured here and now. Compare only runs on the same idle machine.
import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { formatBytes } from "../src/tensor/pool.ts";
import { measure, type Measurement } from "./measure.ts";
import { workloads } from "./workloads/index.ts";

const { values } = parseArgs({
  options: {
    /** Runs only workloads whose name contains this. */
    filter: { type: "string", default: "" },
    /** Measured calls of each workload. */
    reps: { type: "string", default: "15" },
    /** Writes all measurements to a file. */
    json: { type: "string" },
    /** Takes networks from golden cases in this folder where they are there. */
    nets: { type: "string" },
  },
});
const reps = Number(values.reps);
const chosen = workloads.filter(({ name }) => name.includes(values.filter));
if (!Number.isInteger(reps) || reps < 1) fail(`--reps: expected a whole number >= 1, got ${values.reps}`);
if (chosen.length === 0)
  fail(
    `--filter: no workload is called like "${values.filter}"; there are ${workloads.map(({ name }) => name).join(", ")}`,
  );

const measurements: Measurement[] = [];
for (const workload of chosen) {
  const m = await measure(workload, reps, values.nets === undefined ? {} : { nets: values.nets });
  if (measurements.length === 0) printAdapter(m);
  print(workload.about, m);
  measurements.push(m);
}
if (values.json !== undefined) {
  writeFileSync(values.json, `${JSON.stringify({ node: process.version, reps, measurements }, null, 2)}\n`);
}
// Dawn keeps the process alive.
process.exit();

function printAdapter({ adapter }: Measurement): void {
  const { vendor, architecture, description, software, runtime } = adapter;
  console.log(
    `${vendor} ${architecture} (${description})${software ? ", software" : ""}, ${runtime} ${process.version}`,
  );
}

function print(about: string, m: Measurement): void {
  const ms = (t: number): string => (t >= 100 ? t.toFixed(0) : t.toPrecision(3));
  const rate = m.flops / m.median / 1e6;
  console.log(
    [
      `\n${m.name}: ${about}; ${m.source}`,
      `  median ${ms(m.median)} ms (${ms(m.min)} .. ${ms(m.max)}, ${m.times.length} calls), first call ${ms(m.first)} ms`,
      `  ${m.evaluations} gradients, ${m.dispatches} dispatches, ${m.submits} submits, ${m.readbacks} readbacks, ${m.pipelines} pipelines`,
      `  planned ${formatBytes(m.plannedBytes)}, peak ${formatBytes(m.peakBytes)}, ${(m.flops / 1e6).toFixed(1)} Mflop (${rate.toFixed(2)} Gflop/s)`,
    ].join("\n"),
  );
}

function fail(message: string): never {
  console.error(message);
  process.exit(2);
}
