// What runs in the browser: one workload, or the control kernels, on a page opened for it alone.
import { openDevice, type AdapterInfo } from "../src/tensor/index.ts";
import { measureControl } from "./control/control.ts";
import { GpuCounters } from "./counters.ts";
import { parseCase } from "./golden.ts";
import { measure } from "./measure.ts";
import type { ControlResult, WorkloadResult } from "./result.ts";
import type { Peer } from "./task.ts";
import type { Files } from "./workload.ts";
import { workloads } from "./workloads/index.ts";

/** What Node asks for. */
export type Order =
  | { readonly kind: "control" }
  | {
      readonly kind: "workload";
      readonly name: string;
      readonly reps: number;
      /** Paths of the peers' bundles. */
      readonly peers: readonly string[];
    };

/** What the page answers. */
export type Answer =
  | { readonly kind: "control"; readonly adapter: AdapterInfo; readonly control: ControlResult }
  | { readonly kind: "workload"; readonly result: WorkloadResult }
  | { readonly kind: "error"; readonly message: string };

interface Global {
  /** Given by Node. */
  answer(answer: Answer): void;
  bench?: (order: Order) => void;
}
const global = globalThis as unknown as Global;

global.bench = (order) => {
  carryOut(order).then(
    (answer) => global.answer(answer),
    (error: unknown) =>
      global.answer({
        kind: "error",
        message: error instanceof Error ? (error.stack ?? error.message) : String(error),
      }),
  );
};

async function carryOut(order: Order): Promise<Answer> {
  const device = await openDevice();
  if (order.kind === "control") {
    return { kind: "control", adapter: device.info, control: await measureControl(device) };
  }
  const workload = workloads.find(({ name }) => name === order.name)!;
  const counters = new GpuCounters(device.gpu);
  const { reps } = order;
  const peers = await Promise.all(order.peers.map(load));
  return { kind: "workload", result: await measure(workload, { device, counters, files, peers, reps }) };
}

const load = async (path: string): Promise<Peer> => ((await import(path)) as { peer: Peer }).peer;

const files: Files = {
  async golden(name) {
    const [json, tensors] = await Promise.all(
      ["case.json", "tensors.safetensors"].map((file) => fetch(`/golden/${name}/${file}`)),
    );
    if (json!.status === 404) return undefined;
    return parseCase(name, new TextDecoder().decode(await bytes(json!)), await bytes(tensors!));
  },
  async npm(name, version, path) {
    const query = new URLSearchParams({ name, version, path });
    return bytes(await fetch(`/npm?${query.toString()}`));
  },
  asset: async (name) => bytes(await fetch(`/assets/${name}`)),
  async shared(path) {
    const response = await fetch(`/shared/${path}`);
    return response.status === 404 ? undefined : bytes(response);
  },
};

async function bytes(response: Response): Promise<Uint8Array<ArrayBuffer>> {
  if (!response.ok) throw new Error(`${response.url}: ${response.status} ${await response.text()}`);
  return new Uint8Array(await response.arrayBuffer());
}
