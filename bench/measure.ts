// Times one workload: each contestant's first call, then rounds of calls, so that all meet the same disturbances. Each round has
// an order of its own: what a contestant leaves behind (garbage, cold caches) meets all others, not always the same one.
import type { Device } from "../src/tensor/index.ts";
import { random } from "../src/nn/index.ts";
import type { Meter } from "./counters.ts";
import type { ContestantResult, WorkloadResult } from "./result.ts";
import { relativeError, spread } from "./statistics.ts";
import type { Peer, Run, Task } from "./task.ts";
import type { Contestant, Files, Outcome, Workload } from "./workload.ts";

export interface Setting {
  readonly device: Device;
  readonly counters: Meter;
  readonly files: Files;
  readonly peers: readonly Peer[];
  /** Measured calls of each contestant. */
  readonly reps: number;
}

/** A contestant whose first call takes longer than this needs no other call to warm up. */
const LONG_CALL = 10_000;
/** Milliseconds between two calls that warm up. */
const SETTLING = 1000;
/** One that has computed for this long is not called again, once it has been measured {@link FEWEST} times. */
const LONG_ENOUGH = 30_000;
const FEWEST = 3;

export async function measure(workload: Workload, setting: Setting): Promise<WorkloadResult> {
  const { device, counters, peers } = setting;
  const { name, about } = workload;
  const before = counters.memory.live;
  const prepared = await workload.prepare(setting);
  if ("absent" in prepared) return absentResult(workload, prepared.absent);
  device.trim();
  const shared = counters.memory.live - before;
  try {
    const { source, truth, tolerance, flops, recorded, withoutPeers } = prepared;
    const runners = [
      ...prepared.own.map(({ name, run }) => new Runner(name, () => Promise.resolve(run), setting, shared)),
      ...peersOf(prepared.task, peers).map(({ name, open }) => new Runner(name, open, setting, 0)),
    ];
    for (const runner of runners) await runner.first();
    const data = await truth.data();
    for (const runner of runners) runner.compareWith(data);
    for (const runner of runners) if (runner.firstTime < LONG_CALL) await runner.call();
    // Kernels that a second call asks for are built beside it: let nobody's be built while others are timed.
    await new Promise((resolve) => setTimeout(resolve, SETTLING));
    for (const runner of runners) if (runner.firstTime < LONG_CALL) await runner.call();
    const order = random(`${name}/order`);
    for (let i = 0; i < setting.reps; i++) {
      for (const runner of [...order.permutation(runners.length)].map((k) => runners[k]!))
        if (i < FEWEST || runner.spent < LONG_ENOUGH) await runner.timedCall();
    }
    const tables = (await prepared.study?.()) ?? [];
    const missing = withoutPeers === undefined ? [] : peers.map((peer) => absentPeer(peer, withoutPeers));
    const contestants = [...runners.map((runner) => runner.result(tolerance)), ...missing];
    return {
      ...{ name, about, source, truth: truth.source, tolerance, contestants, tables },
      ...(flops !== undefined && { flops }),
      ...(recorded && { recorded }),
    };
  } finally {
    prepared.dispose();
  }
}

/** Of a workload that found not what it needs. */
export const absentResult = ({ name, about }: Pick<Workload, "name" | "about">, failure: string): WorkloadResult => ({
  ...{ name, about, source: "not here", truth: "none", tolerance: 0, tables: [] },
  contestants: [{ name: "aumann", verdict: "absent", failure }],
});

const nameOf = ({ name, version }: Peer): string => `${name} ${version}`;

const absentPeer = (peer: Peer, failure: string): ContestantResult => ({
  ...{ name: nameOf(peer), verdict: "absent", failure },
});

interface Opened {
  readonly name: string;
  readonly open: () => Promise<Contestant["run"]>;
}

/** The peers for which someone has written a program of this kind. */
function peersOf(task: Task | undefined, peers: readonly Peer[]): Opened[] {
  return peers.flatMap((peer) => {
    const { programs, open } = peer;
    const program = task && (programs[task.kind] as ((task: Task) => Run) | undefined);
    if (!program) return [];
    const opened = async (): Promise<Contestant["run"]> => {
      await open();
      const run = program(task);
      return async () => ({ data: await run() });
    };
    return [{ name: nameOf(peer), open: opened }];
  });
}

/** One contestant. After its first exception it does not take part any more. */
class Runner {
  private run: Contestant["run"] | undefined;
  private failure: string | undefined;
  private error = 0;
  private truth: ArrayLike<number> | undefined;
  private firstOutcome: Outcome | undefined;
  /** Milliseconds. */
  firstTime = 0;
  private memory = 0;
  private built = { pipelines: 0, building: 0 };
  private facts: Outcome["facts"];
  private readonly times: number[] = [];
  private readonly totals = { dispatches: 0, submits: 0, readbacks: 0, bytesUploaded: 0, bytesRead: 0 };

  constructor(
    readonly name: string,
    private readonly open: () => Promise<Contestant["run"]>,
    private readonly setting: Setting,
    /** Bytes that it uses and that were uploaded before: weights, operands. */
    private readonly uploaded: number,
  ) {}

  /** Milliseconds of all measured calls. */
  get spent(): number {
    return this.times.reduce((sum, time) => sum + time, 0);
  }

  async first(): Promise<void> {
    const { counters, device } = this.setting;
    // What an earlier contestant left in the pool would count for that one only.
    device.trim();
    const before = counters.memory.live;
    const mark = counters.mark();
    await this.attempt(async () => {
      this.run = await this.open();
      const start = performance.now();
      const outcome = await this.run();
      this.firstTime = performance.now() - start;
      this.facts = outcome.facts;
      this.firstOutcome = outcome;
    });
    this.memory = this.uploaded + counters.memory.peak - before;
    const { pipelines, building } = counters.since(mark);
    this.built = { pipelines, building };
  }

  compareWith(truth: ArrayLike<number>): void {
    this.truth = truth;
    if (this.firstOutcome) this.check(this.firstOutcome);
    this.firstOutcome = undefined;
  }

  async call(): Promise<void> {
    await this.attempt(async (run) => this.check(await run()));
  }

  async timedCall(): Promise<void> {
    await this.attempt(async (run) => {
      const mark = this.setting.counters.mark();
      const start = performance.now();
      const outcome = await run();
      this.times.push(performance.now() - start);
      const counts = this.setting.counters.since(mark);
      for (const name of Object.keys(this.totals) as (keyof typeof this.totals)[]) this.totals[name] += counts[name];
      this.check(outcome);
    });
  }

  result(tolerance: number): ContestantResult {
    const { name, failure } = this;
    if (failure !== undefined) return { name, verdict: "failed", failure };
    const perCall = Object.fromEntries(
      Object.entries(this.totals).map(([name, total]) => [name, total / this.times.length]),
    ) as typeof this.totals;
    return {
      name,
      verdict: this.error <= tolerance ? "correct" : "wrong",
      error: Number.isFinite(this.error) ? this.error : null,
      first: this.firstTime,
      times: this.times,
      ...spread(this.times),
      counts: { ...perCall, ...this.built },
      memory: this.memory,
      ...(this.facts && { facts: this.facts }),
    };
  }

  private check({ data }: Outcome): void {
    this.error = Math.max(this.error, relativeError(data, this.truth!));
  }

  private async attempt(work: (run: Contestant["run"]) => Promise<void>): Promise<void> {
    if (this.failure !== undefined) return;
    try {
      await work(this.run!);
    } catch (error) {
      this.failure = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    }
  }
}
