// Surroundings of atoms as numbers: what a baseline without a network predicts from, and which atoms a molecule cannot tell apart.
import type { GraphExample } from "../../src/nn/index.ts";
import { hostArray, type HostArray } from "../../src/tensor/host.ts";

/**
 * A number for the surroundings of each atom, up to 0, 1, ..., `radius` edges of the graph away: equal surroundings have equal numbers, whatever
 * the order of the atoms; different ones have different numbers, but for one chance in 2^32.
 * @returns [radius + 1][atoms]
 */
export function surroundings({ atoms, bonds, bondFeatures = [] }: GraphExample, radius: number): Uint32Array[] {
  const partners = atoms.map((): { atom: number; kind: string }[] => []);
  bonds.forEach(([a, b], m) => {
    const kind = bondFeatures[m]!.join();
    partners[a]!.push({ atom: b, kind });
    partners[b]!.push({ atom: a, kind });
  });
  const rounds = [Uint32Array.from(atoms, (own) => hashOf(own.join()))];
  for (let r = 0; r < radius; r++) {
    const before = rounds[r]!;
    rounds.push(
      Uint32Array.from(partners, (list, a) => {
        const around = list.map(({ atom, kind }) => `${kind}:${before[atom]!}`).sort();
        return hashOf(`${before[a]!}|${around.join(";")}`);
      }),
    );
  }
  return rounds;
}

/** FNV-1a with a last mixing (that of MurmurHash3), as the remainder by a power of two is taken of it. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * Circular fingerprints in the manner of ECFP (Rogers and Hahn, 2010): which surroundings of at most two edges occur (pairs two bonds apart are edges too),
 * folded into `bits` places.
 * @returns zeros and ones, f32 [graphs, bits]
 */
export function fingerprints(graphs: readonly GraphExample[], bits: number): HostArray {
  const data = new Float32Array(graphs.length * bits);
  graphs.forEach((graph, g) => {
    for (const round of surroundings(graph, 2)) for (const hash of round) data[g * bits + (hash % bits)] = 1;
  });
  return hostArray(data, [graphs.length, bits]);
}
