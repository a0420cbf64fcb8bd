// What a benchmark is: one object in one file of workloads/, named in workloads/index.ts. It runs in a browser as it runs
// in Node, so such a file imports nothing of Node; what it reads from disk comes through `Lab.files`.
import type { Device } from "../src/tensor/index.ts";
import type { Cell, Table } from "../src/view/index.ts";
import type { Case } from "../test/golden/case.ts";
import type { Task } from "./task.ts";

export interface Workload {
  /** Unique; letters, digits and dashes. */
  readonly name: string;
  /** What is computed, in one line. */
  readonly about: string;
  /** What happens before any measured call: weights and inputs. It runs nothing on the device. */
  prepare(lab: Lab): Promise<Prepared | Absent>;
}

/** A workload whose files are not here. */
export interface Absent {
  /** What is missing, and how it could be there. */
  readonly absent: string;
}

/** What a workload is given. */
export interface Lab {
  /** A device of its own: no pipeline is compiled yet, no memory pooled. */
  readonly device: Device;
  readonly files: Files;
}

export interface Files {
  /** A golden case by the name of its folder; undefined if there is no such folder. */
  golden(name: string): Promise<Case | undefined>;
  /** A file of a published npm package. */
  npm(name: string, version: string, path: string): Promise<Uint8Array<ArrayBuffer>>;
  /** A picture of the folder `assets`. */
  asset(name: string): Promise<Uint8Array<ArrayBuffer>>;
  /** A file of the folder of models and truths that no package carries; undefined if it is not there. */
  shared(path: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
}

export interface Prepared {
  /** Where weights and inputs come from. */
  readonly source: string;
  /** What every result is compared with, in double precision, and where that comes from. */
  readonly truth: Truth;
  /** A result further from the truth than this fraction of its largest entry is reported as wrong. */
  readonly tolerance: number;
  /** This library's ways to do it; the first is what the others are compared with. */
  readonly own: readonly Contestant[];
  /** The same for other libraries. */
  readonly task?: Task;
  /** Why no other library takes part, where none can. */
  readonly withoutPeers?: string;
  /** Of a workload that is a single contraction, a multiply-add counted as two: shown as a fraction of the peak. */
  readonly flops?: number;
  /** Figures that were not measured in this run. */
  readonly recorded?: Recorded;
  /** Tables to print below, computed after all timing. */
  study?(): Promise<Table[]>;
  dispose(): void;
}

export interface Truth {
  readonly source: string;
  /** Called after the first call of every contestant, which should meet a page where nothing has been computed. */
  data(): ArrayLike<number> | Promise<ArrayLike<number>>;
}

export interface Contestant {
  readonly name: string;
  /** One measured call: from arrays on the host to results on the host. */
  run(): Promise<Outcome>;
}

export interface Outcome {
  readonly data: ArrayLike<number>;
  /** Facts of this call worth printing: nodes, evaluations, planned bytes. */
  readonly facts?: Readonly<Record<string, Cell>>;
}

/** Figures of other programs on another day; never mixed with measured ones. */
export interface Recorded {
  readonly source: string;
  readonly figures: readonly RecordedFigure[];
}

export interface RecordedFigure {
  readonly program: string;
  readonly evaluations: number;
  readonly medianMs: number;
  /** Of the largest entry of the truth. */
  readonly error: number;
}
