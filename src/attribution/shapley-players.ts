// From attributions of features to those of players.
import { hostArray, type HostArray } from "../tensor/host.ts";
import { numel, type Shape } from "../tensor/shape.ts";

export interface PlayersForm {
  /** Axes before the players: [B], or [K, B] for all classes. */
  readonly lead: Shape;
  readonly players: number;
  /** Player of every feature; `players` for those that are always present. */
  readonly labels: readonly number[];
}

/** Attributions of features, summed over those of every player: [...lead, n]. */
export function playerSums(attributions: readonly HostArray[], { lead, players, labels }: PlayersForm): HostArray {
  const groups = numel(lead);
  const sums = new Float64Array(groups * players);
  let first = 0;
  for (const { data } of attributions) {
    const size = data.length / groups;
    data.forEach((v, k) => {
      const player = labels[first + (k % size)]!;
      if (player < players) sums[Math.floor(k / size) * players + player]! += v;
    });
    first += size;
  }
  return hostArray(sums, [...lead, players]);
}
