import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { compoundsOf } from "../../examples/lib/molecules-data.ts";
import { explainMolecules, moleculePaths } from "../../examples/lib/molecules-explain.ts";
import { graphOf } from "../../examples/lib/molecules-features.ts";
import { featureArrays, moleculeLogits, moleculeNetwork } from "../../examples/lib/molecules-network.ts";
import { moleculeReport } from "../../examples/lib/molecules-report.ts";
import { confusion, partsOf } from "../../examples/lib/molecules-statistics.ts";
import { moleculeStudy } from "../../examples/lib/molecules-study.ts";
import { compile } from "../../src/compiler/program.ts";
import { random, type GraphExample } from "../../src/nn/index.ts";
import type { Device, Tensor } from "../../src/tensor/index.ts";
import { withCleanDevice } from "../gpu.ts";
import { ACETAMIDE, AMMONIUM_CHLORIDE, BENZENE, chain, compound, OCTANE, permuted, table } from "./molecule-files.ts";

const SETTINGS = { layers: 2, atoms: 8, pairs: 4 };

async function withNetwork(
  layers: number,
  work: (
    device: Device,
    network: ReturnType<typeof moleculeNetwork>,
    parameters: Record<string, Tensor>,
  ) => Promise<void>,
): Promise<void> {
  await withCleanDevice(async (device) => {
    const network = moleculeNetwork({ ...SETTINGS, layers });
    const parameters = network.init(device, "test");
    try {
      await work(device, network, parameters);
    } finally {
      Object.values(parameters).forEach((tensor) => tensor.dispose());
    }
  });
}

test("logits do not depend on padding, on other molecules of the batch, or on the order of atoms", () =>
  withNetwork(2, async (device, network, parameters) => {
    const graphs = [ACETAMIDE, OCTANE, BENZENE, AMMONIUM_CHLORIDE].map((text) => graphOf(compound(text)));
    const one = async (graph: GraphExample, nodes: number): Promise<number> => {
      const features = await featureArrays(device, [graph], nodes);
      const inputs = Object.values(features).map((array) => device.tensor(array));
      const program = compile(
        device,
        (atoms, pairs, partners, lengths) => network.apply(parameters, { atoms, pairs, partners, lengths }),
        Object.values(features),
      );
      const [logit] = await program.runAndRead(inputs);
      inputs.forEach((tensor) => tensor.dispose());
      return logit!.data[0]!;
    };
    const together = await moleculeLogits(network, parameters, graphs, { device });
    expect(new Set(together).size).toBe(4);
    for (const [k, graph] of graphs.entries()) {
      const size = graph.atoms.length;
      expect(await one(graph, size)).toBeCloseTo(together[k]!, 5);
      expect(await one(graph, size + 5)).toBeCloseTo(together[k]!, 5);
      const order = Array.from(random(k).permutation(size));
      expect(await one(permuted(graph, order), size)).toBeCloseTo(together[k]!, 5);
    }
  }));

test("attributions add up; gradients are those of finite differences", () =>
  withNetwork(2, async (device, network, parameters) => {
    const graphs = [OCTANE, ACETAMIDE].map((text) => graphOf(compound(text)));
    const found = await explainMolecules({ network, parameters }, graphs, 256, { device });
    const logits = await moleculeLogits(network, parameters, graphs, { device });
    found.forEach((explanation, k) => {
      const { atoms, bonds, others } = partsOf(explanation);
      const difference = explanation.logit - explanation.baseline;
      expect(explanation.logit).toBeCloseTo(logits[k]!, 5);
      expect(atoms + bonds + others - difference).toBeCloseTo(explanation.delta, 5);
      expect(Math.abs(explanation.delta)).toBeLessThan(0.01 * Math.abs(difference));
      expect(explanation.atoms).toHaveLength(graphs[k]!.atoms.length);
      expect(explanation.features.gradients).toHaveLength(explanation.features.attributions.length);
    });

    const features = await featureArrays(device, [graphs[1]!]);
    const inputs = [features.partners, features.lengths, features.pairs].map((array) => device.tensor(array));
    const [partners, lengths, pairs] = inputs as [Tensor, Tensor, Tensor];
    const program = compile(
      device,
      (a, p, q, n) => network.apply(parameters, { atoms: a, pairs: p, partners: q, lengths: n }),
      [features.atoms, features.pairs, features.partners, features.lengths],
    );
    const logitWith = async (at: number, by: number): Promise<number> => {
      const data = Float32Array.from(features.atoms.data);
      data[at]! += by;
      const atoms = device.tensor({ ...features.atoms, data });
      const [logit] = await program.runAndRead([atoms, pairs, partners, lengths]);
      atoms.dispose();
      return logit!.data[0]!;
    };
    // Features come in the order of the ones.
    const ones = [...features.atoms.data].flatMap((value, at) => (value === 1 ? [at] : []));
    const h = 1e-2;
    for (const k of [0, 4, 7, ones.length - 1]) {
      const slope = ((await logitWith(ones[k]!, h)) - (await logitWith(ones[k]!, -h))) / (2 * h);
      expect(found[1]!.features.gradients[k]).toBeCloseTo(slope, 3);
    }
    inputs.forEach((tensor) => tensor.dispose());
  }));

test("padding has no attribution: what the atoms have adds up, beside a larger molecule too", () =>
  withNetwork(2, async (device, network, parameters) => {
    const [small, large] = [ACETAMIDE, OCTANE].map((text) => graphOf(compound(text))) as [GraphExample, GraphExample];
    const [alone] = await explainMolecules({ network, parameters }, [small], 32, { device });
    // Of ten molecules every two of similar size are padded alike: here a small one and a large one are among them.
    const graphs = Array.from({ length: 10 }, (_, k) => (k < 7 ? small : large));
    const found = await explainMolecules({ network, parameters }, graphs, 32, { device });
    found.slice(0, 7).forEach((explanation) => {
      explanation.atoms.forEach((v, a) => expect(v).toBeCloseTo(alone!.atoms[a]!, 5));
      const { atoms, bonds, others } = partsOf(explanation);
      // The error counts the attributions of padding, the parts do not.
      expect(atoms + bonds + others - (explanation.logit - explanation.baseline)).toBeCloseTo(explanation.delta, 5);
    });
  }));

test("one layer cannot tell the inner carbons of octane apart, two layers can", async () => {
  const octane = compound(OCTANE);
  const graph = graphOf(octane);
  const confused = async (layers: number): Promise<unknown> => {
    let result: unknown;
    await withNetwork(layers, async (device, network, parameters) => {
      const [explanation] = await explainMolecules({ network, parameters }, [graph], 32, { device });
      result = confusion([{ compound: octane, graph, explanation: explanation! }]);
    });
    return result;
  };
  // The four inner ones have two bonds and two partners two bonds apart each; every atom has a mirror image.
  expect(await confused(1)).toEqual({ atoms: 8, confused: 4, alike: 8 });
  expect(await confused(2)).toEqual({ atoms: 8, confused: 0, alike: 8 });
});

test("the path ends at the logits of the molecules", () =>
  withNetwork(1, async (device, network, parameters) => {
    const graphs = [ACETAMIDE, OCTANE].map((text) => graphOf(compound(text)));
    const { alphas, logits, gradients } = await moleculePaths({ network, parameters }, graphs, 5, { device });
    const ends = await moleculeLogits(network, parameters, graphs, { device });
    expect(alphas).toEqual([0, 0.25, 0.5, 0.75, 1]);
    logits.forEach((own, k) => expect(own.at(-1)).toBeCloseTo(ends[k]!, 5));
    // Without features and biases all ReLUs are at their kinks, where their derivative is 0.
    gradients.forEach((own) => expect(Array.from(own, (v) => v > 0)).toEqual([false, true, true, true, true]));
  }));

// ---- all of it -----------------------------------------------------------------------------------------------------

test("a tiny study: amines against ethers", async () => {
  const cache = await mkdtemp(join(tmpdir(), "aumann-molecules-"));
  const before = process.env["XDG_CACHE_HOME"];
  process.env["XDG_CACHE_HOME"] = cache;
  try {
    await withCleanDevice(async (device) => {
      const rows = Array.from({ length: 32 }, (_, k) => {
        const symbols = Array<string>(3 + ((k >> 1) % 8)).fill("C");
        symbols[1 + (k % (symbols.length - 1))] = k % 2 === 0 ? "N" : "O";
        return [chain(symbols), k % 2 === 0 ? "Active_Integrase" : "Inactive_Integrase"] as const;
      });
      const set = compoundsOf(table([...rows, ["broken", "Inactive_Integrase"]]), "test.csv");
      const stages = new Set<string>();
      const settings = {
        training: { ...SETTINGS, atoms: 12, steps: 60, learningRate: 0.02, weightDecay: 0.01, seed: 0 },
        molecules: 4,
        examples: 3,
        nodes: 32,
        retrain: false,
      };
      const tools = {
        device,
        signal: new AbortController().signal,
        note: () => undefined,
        onProgress: (stage: string) => void stages.add(stage),
      };
      const study = await moleculeStudy(set, settings, tools);
      expect(study.qualities[0]!.held.auc).toBeGreaterThan(0.9);
      expect(study.trained.cached).toBe(false);
      expect([...stages]).toEqual(expect.arrayContaining(["training, 2 layers", "training, 1 layer", "attributions"]));
      const again = await moleculeStudy(set, settings, tools);
      expect(again.trained.cached).toBe(true);
      expect(again.qualities[0]).toEqual(study.qualities[0]);
      const page = await moleculeReport({ study, adapter: "test", seconds: 1 });
      expect(page).toContain("Undue weight");
      expect(page).toContain("rows left out");
      // Active or not is a matter of one atom: it should weigh most, or its bonds.
      const right = study.sample.filter(({ compound: c, explanation }) => c.active && explanation.logit > 0);
      expect(right.length).toBeGreaterThan(0);
      right.forEach(({ compound: c, explanation }) => {
        const strongest = explanation.atoms.indexOf(Math.max(...explanation.atoms));
        expect(c.atoms[strongest]!.element).toBe("N");
      });
    });
  } finally {
    if (before === undefined) delete process.env["XDG_CACHE_HOME"];
    else process.env["XDG_CACHE_HOME"] = before;
    await rm(cache, { recursive: true, force: true });
  }
});
