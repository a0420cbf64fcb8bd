// What the command is told.
import { parseArgs } from "node:util";

export const USAGE = `npm run bench -- [NAME...] [FLAGS]
  NAME, --filter TEXT  only workloads whose name contains one of these
  --runtime NAME       chrome (default; with the peers) or node (this library alone)
  --no-peers           this library alone
  --reps N             measured calls of each contestant, default 15
  --nets FOLDER        golden cases to take networks from; default golden-bench of the folder below, else seeded weights
  --shared FOLDER      models and truths that no package carries; default $AUMANN_SHARED or ../shared if it is there
  --json FILE          writes everything measured
  --report FILE.html   writes tables and charts
  --list               lists the workloads`;

export interface Options {
  readonly names: readonly string[];
  readonly runtime: "chrome" | "node";
  readonly peers: boolean;
  readonly reps: number;
  readonly list: boolean;
  readonly nets?: string;
  readonly shared?: string;
  readonly json?: string;
  readonly report?: string;
}

/** Something that the person who called should change. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/**
 * @param known names of all workloads
 * @returns the chosen ones in their order, and the flags
 * @throws UsageError for anything else than {@link USAGE} says
 */
export function parseArguments(args: readonly string[], known: readonly string[]): Options {
  const { values, positionals } = parse(args);
  const { runtime, nets, shared, json, report } = values;
  if (runtime !== "chrome" && runtime !== "node") {
    throw new UsageError(`--runtime: expected chrome or node, got "${runtime}"`);
  }
  const reps = Number(values.reps);
  if (!Number.isInteger(reps) || reps < 1) {
    throw new UsageError(`--reps: expected a whole number >= 1, got "${values.reps}"`);
  }
  return {
    names: choose([...positionals, ...values.filter], known),
    runtime,
    peers: !values["no-peers"] && runtime === "chrome",
    reps,
    list: values.list,
    ...(nets !== undefined && { nets }),
    ...(shared !== undefined && { shared }),
    ...(json !== undefined && { json }),
    ...(report !== undefined && { report }),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        filter: { type: "string", multiple: true, default: [] },
        runtime: { type: "string", default: "chrome" },
        "no-peers": { type: "boolean", default: false },
        reps: { type: "string", default: "15" },
        nets: { type: "string" },
        shared: { type: "string" },
        json: { type: "string" },
        report: { type: "string" },
        list: { type: "boolean", default: false },
      },
    });
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function choose(texts: readonly string[], known: readonly string[]): readonly string[] {
  if (texts.length === 0) return known;
  const without = texts.find((text) => !known.some((name) => name.includes(text)));
  if (without !== undefined) {
    throw new UsageError(`no workload is called like "${without}"; there are ${known.join(", ")}`);
  }
  return known.filter((name) => texts.some((text) => name.includes(text)));
}
