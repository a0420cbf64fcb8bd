// Lines of the live page that end in a bar and its number.
import { exact, make, signed } from "./live-page-elements.ts";

export interface Line {
  readonly item: HTMLLIElement;
  readonly bar: HTMLElement;
  readonly number: HTMLDataElement;
}

/** @param parts what stands before the bar: elements, or a text that has all their room */
export function line(...parts: readonly [string] | readonly HTMLElement[]): Line {
  const bar = make("div");
  const number = make("data");
  const [text] = parts;
  const before =
    typeof text === "string" ? [make("span", { className: "name", textContent: text, title: text })] : parts;
  const item = make("li", {}, ...before, make("div", { className: "bar" }, bar), number);
  if (typeof text === "string") item.className = "wide";
  return { item, bar, number };
}

/** @param reach what the longest bar stands for */
export function draw({ bar, number }: Line, value: number, reach: number): void {
  bar.className = value < 0 ? "away" : "towards";
  bar.style.width = `${reach > 0 ? (48 * Math.abs(value)) / reach : 0}%`;
  exact(number, value, signed(value, 2));
}
