// Elements of the live page, and numbers in them.

/** An element that the page was built with. */
export const byId = (id: string): HTMLElement => document.getElementById(id)!;

/** A new element; strings are inserted as text. */
export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Shows a number rounded, and keeps it whole for programs. */
export function exact(at: string | HTMLDataElement, value: number, text: string): void {
  const element = typeof at === "string" ? (byId(at) as HTMLDataElement) : at;
  element.value = String(value);
  element.textContent = text;
}

/** With a sign that is as wide as a digit; what rounds to zero has none. */
export function signed(value: number, decimals: number): string {
  const text = Math.abs(value).toFixed(decimals);
  return Number(text) === 0 ? text : `${value < 0 ? "−" : "+"}${text}`;
}
