// What Node, a page and a worker all compute: attributions of a small convolutional network with fixed weights. The
// modules are arguments, so that each place can pass its own: the sources in Node, the built bundle in the browser.
export interface Modules {
  readonly aumann: typeof import("../../src/index.ts");
  readonly nn: typeof import("../../src/nn/index.ts");
  readonly attribution: typeof import("../../src/attribution/index.ts");
}

/** Plain arrays: they cross from the browser to Node as JSON. */
export interface Report {
  readonly adapter: string;
  readonly runtime: string;
  readonly outputs: number[];
  readonly target: number;
  readonly attributions: number[];
  readonly delta: number[];
  readonly allClasses: number[];
  readonly chunked: number[];
  readonly hvp: number[];
  readonly dispatches: number;
  readonly submits: number;
  readonly readbacks: number;
  readonly leftBytes: number;
}

export const STEPS = 24;
export const picture = (): Float32Array =>
  Float32Array.from({ length: 64 }, (_, i) => Math.fround(Math.sin(0.7 * i) * Math.cos(0.11 * i * i)));

export function network({ aumann, nn }: Modules) {
  return nn.sequential([
    ["conv", nn.conv(1, 4, { kernel: 3, padding: 1 })],
    ["softplus", nn.activation((x) => aumann.softplus(x, { beta: 3 }))],
    ["pool", nn.maxPooling({ kernel: 2 })],
    ["flatten", nn.flatten()],
    ["hidden", nn.dense(64, 12)],
    ["relu", nn.activation(aumann.relu)],
    ["out", nn.dense(12, 3)],
  ]);
}

export async function workload(modules: Modules, device: InstanceType<Modules["aumann"]["Device"]>): Promise<Report> {
  const { aumann, nn, attribution } = modules;
  const before = device.memory.live;
  const layers = network(modules);
  const model = nn.modelOf(layers, layers.init(device, "browser"), [1, 8, 8]);
  const x = aumann.hostArray(picture(), [1, 1, 8, 8]);
  const result = await attribution.integratedGradients(model, x, { steps: STEPS, rule: "midpoint" });
  const counters = { ...device.counters };
  const again = await attribution.integratedGradients(model, x, { steps: STEPS, rule: "midpoint" });
  const [submits, readbacks] = [
    device.counters.submits - counters.submits,
    device.counters.readbacks - counters.readbacks,
  ];
  const all = await attribution.integratedGradients(model, x, { steps: STEPS, target: "all", score: "probability" });
  const chunked = await attribution.integratedGradients(model, x, {
    steps: STEPS,
    rule: "midpoint",
    memoryBudget: 0.4 * result.plan.bytes,
  });
  const f = (z: Parameters<typeof aumann.sin>[0]) =>
    aumann.sum(aumann.logSoftmax(model.apply({ x: aumann.mul(z, 1) }) as never));
  const [at, direction] = [
    device.tensor(x),
    device.tensor(
      picture().map((v) => 1 - v),
      [1, 1, 8, 8],
    ),
  ];
  const product = await aumann.hvp(f)(at, direction);
  const hvp = await product.read();
  [at, direction, product].forEach((tensor) => tensor.dispose());
  model.dispose();
  return {
    adapter: `${device.info.vendor} ${device.info.architecture} (${device.info.description})`,
    runtime: device.info.runtime,
    outputs: [...result.outputs.data],
    target: result.targets!.data[0]!,
    attributions: [...again.attributions.data],
    delta: [...result.delta.data],
    allClasses: [...all.attributions.data],
    chunked: [...chunked.attributions.data],
    hvp: [...hvp.data],
    dispatches: again.plan.dispatches,
    submits,
    readbacks,
    leftBytes: device.memory.live - before,
  };
}
