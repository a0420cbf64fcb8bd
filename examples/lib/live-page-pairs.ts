// Lines for the pairs of features of the live page that interact most, and what they and the others add up to.
import type { IntegratedHessiansResult } from "../../src/attribution/integrated-hessians.ts";
import type { HostArray } from "../../src/index.ts";
import { exact, signed } from "./live-page-elements.ts";
import { draw, line, type Line } from "./live-page-lines.ts";

/** Pairs that are shown. */
const FEW = 6;

interface Pair {
  readonly first: number;
  readonly second: number;
  readonly line: Line;
}

export class PairRows {
  #pairs: readonly Pair[] = [];
  readonly #others = line("all other pairs");
  #reach = 0;

  constructor(
    readonly list: HTMLElement,
    readonly names: readonly string[],
  ) {}

  /** @param fresh whether this is a new row: its strongest pairs are then shown, and stay while sliders move */
  draw({ interactions, delta, scores }: IntegratedHessiansResult<HostArray>, fresh: boolean): void {
    const data = Array.from(interactions.data);
    const count = this.names.length;
    const of = ({ first, second }: Pick<Pair, "first" | "second">): number =>
      data[first * count + second]! + data[second * count + first]!;
    if (fresh) this.#choose(of);
    const total = data.reduce((sum, v) => sum + v, 0);
    const alone = this.names.reduce((sum, _, j) => sum + data[j * count + j]!, 0);
    const values = this.#pairs.map(of);
    const rest = total - alone - values.reduce((sum, v) => sum + v, 0);
    this.#reach = Math.max(this.#reach, ...[...values, rest].map(Math.abs));
    this.#pairs.forEach((pair, i) => draw(pair.line, values[i]!, this.#reach));
    draw(this.#others, rest, this.#reach);
    const change = scores.input.data[0]! - scores.baseline.data[0]!;
    exact("change", change, signed(change, 3));
    exact("alone", alone, signed(alone, 3));
    exact("together", total - alone, signed(total - alone, 3));
    exact("missed", delta.data[0]!, Math.abs(delta.data[0]!).toPrecision(1));
  }

  #choose(of: (pair: Pick<Pair, "first" | "second">) => number): void {
    const { names, list } = this;
    const all = names.flatMap((_, second) => Array.from({ length: second }, (_, first) => ({ first, second })));
    const strongest = all.sort((a, b) => Math.abs(of(b)) - Math.abs(of(a))).slice(0, FEW);
    this.#pairs = strongest.map((pair) => ({
      ...pair,
      line: line(`${names[pair.first]} × ${names[pair.second]}`),
    }));
    this.#reach = 0;
    list.replaceChildren(...this.#pairs.map(({ line: { item } }) => item), this.#others.item);
  }
}
