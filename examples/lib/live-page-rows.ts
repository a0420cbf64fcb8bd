// A line for each feature of the live page: its name, slider and value, and the bar of what it contributes.
import type { Feature } from "./live-page-data.ts";
import { make } from "./live-page-elements.ts";
import { draw, line, type Line } from "./live-page-lines.ts";

/** Features that are shown until all are asked for. */
const FEW = 10;

interface FeatureLine extends Line {
  readonly slider: HTMLInputElement;
  readonly value: HTMLElement;
}

export class FeatureRows {
  readonly #lines: readonly FeatureLine[];
  /** Positions of features, the largest contribution of the loaded row first. */
  #order: number[];
  /** What the features that are not shown contribute together. */
  readonly #others: Line;
  #all = false;
  /** Logits from the middle to the end of a bar; grows while sliders move, so that no bar jumps. */
  #reach = 0;
  #contributions: readonly number[] = [];

  constructor(
    readonly list: HTMLElement,
    readonly button: HTMLElement,
    readonly features: readonly Feature[],
    onInput: (feature: number, value: number) => void,
  ) {
    this.#lines = features.map((feature, j) => featureLine(feature, j, (value) => onInput(j, value)));
    this.#order = features.map((_, j) => j);
    this.#others = line(`${features.length - FEW} others`);
    button.hidden = features.length <= FEW;
    button.onclick = () => {
      this.#all = !this.#all;
      this.#arrange();
      this.#paint();
    };
    this.#arrange();
  }

  /** Puts sliders and values where a row has them. */
  show(values: readonly number[]): void {
    this.#lines.forEach(({ slider, value }, j) => {
      slider.value = String(values[j]);
      value.textContent = slider.ariaValueText = valueText(this.features[j]!, values[j]!);
    });
  }

  /** @param fresh whether this is a new row: the largest contributions then come first */
  draw(contributions: readonly number[], fresh: boolean): void {
    this.#contributions = contributions;
    if (fresh) {
      const size = (j: number): number => Math.abs(contributions[j]!);
      // Sorting is stable: the mean row, where all are 0, leaves the order as it is.
      this.#order.sort((a, b) => size(b) - size(a));
      this.#reach = 0;
      this.#arrange();
    }
    this.#paint();
  }

  #arrange(): void {
    const { list, button, features } = this;
    const shown = this.#all ? features.length : FEW;
    const items = this.#order.slice(0, shown).map((j) => this.#lines[j]!.item);
    list.replaceChildren(...items, ...(shown < features.length ? [this.#others.item] : []));
    button.textContent = this.#all ? `Show the ${FEW} largest` : `Show all ${features.length} features`;
    button.ariaExpanded = String(this.#all);
  }

  #paint(): void {
    const values = this.#contributions;
    const rest = this.#order.slice(FEW).reduce((sum, j) => sum + values[j]!, 0);
    this.#reach = Math.max(this.#reach, ...[...values, rest].map(Math.abs));
    this.#lines.forEach((drawn, j) => draw(drawn, values[j]!, this.#reach));
    draw(this.#others, rest, this.#reach);
  }
}

function featureLine(feature: Feature, j: number, onInput: (value: number) => void): FeatureLine {
  const { name, min, max, step, mean } = feature;
  const slider = make("input", { type: "range" });
  const value = make("span", { className: "value" });
  const label = make("label", { className: "name", htmlFor: `feature${j}`, textContent: name, title: name });
  Object.assign(slider, { id: `feature${j}`, min: String(min), max: String(max), step: String(step) });
  slider.disabled = min === max;
  slider.style.setProperty("--mean", String(max > min ? (mean - min) / (max - min) : 0.5));
  slider.oninput = () => {
    value.textContent = slider.ariaValueText = valueText(feature, slider.valueAsNumber);
    onInput(slider.valueAsNumber);
  };
  return { ...line(label, slider, value), slider, value };
}

function valueText({ decimals }: Feature, value: number): string {
  const wide = value !== 0 && (decimals > 5 || Math.abs(value) >= 1e6);
  return (wide ? value.toExponential(2) : value.toFixed(decimals)).replaceAll("-", "−");
}
