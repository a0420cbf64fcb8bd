// Where workloads run.
import { openDevice, type AdapterInfo, type Device } from "../src/tensor/index.ts";
import { measureControl } from "./control/control.ts";
import { GpuCounters } from "./counters.ts";
import { measure } from "./measure.ts";
import { nodeFiles, type Folders } from "./node-files.ts";
import type { ControlResult, WorkloadResult } from "./result.ts";
import { workloads } from "./workloads/index.ts";

export interface Driver {
  readonly versions: Readonly<Record<string, string>>;
  control(): Promise<{ readonly adapter: AdapterInfo; readonly control: ControlResult }>;
  /** @param name of a workload */
  run(name: string): Promise<WorkloadResult>;
  close(): Promise<void>;
}

/** This very process. The peers need a browser. */
export function nodeDriver({ folders, reps }: { folders: Folders; reps: number }): Driver {
  const files = nodeFiles(folders);
  const withDevice = async <T>(work: (device: Device) => Promise<T>): Promise<T> => {
    const device = await openDevice();
    try {
      return await work(device);
    } finally {
      device.destroy();
    }
  };
  return {
    versions: {},
    control: () => withDevice(async (device) => ({ adapter: device.info, control: await measureControl(device) })),
    run: (name) =>
      withDevice(async (device) => {
        const counters = new GpuCounters(device.gpu);
        const workload = workloads.find((w) => w.name === name)!;
        try {
          return await measure(workload, { device, counters, files, peers: [], reps });
        } finally {
          counters[Symbol.dispose]();
        }
      }),
    close: () => Promise.resolve(),
  };
}
