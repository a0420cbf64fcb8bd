import { describe, expect, it } from "vitest";
import { ArgumentError, NumericError, ShapeError } from "../../src/tensor/errors.ts";
import { blueWhiteRed, colorAt, colouredTokens, report } from "../../src/view/index.ts";
import { hexOf } from "../../src/view/color.ts";
import { elementsOf, parseXml, type XmlNode } from "./xml.ts";

const tokens = ["not", " bad", "\n", "<b>", ""];
const values = [0.5, -1, 0, 0.25, 0];

interface Box {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly fill: string;
  readonly tip: string;
  readonly text: string;
}

/** Boxes of tokens, in order: the groups that have a tooltip. */
const boxesOf = (svg: XmlNode): Box[] =>
  elementsOf(svg, "g").flatMap((g) => {
    const [tip] = g.children.filter(({ name }) => name === "title");
    const [rect] = g.children.filter(({ name }) => name === "rect");
    if (!tip || !rect) return [];
    const [x, y, width] = ["x", "y", "width"].map((key) => Number(rect.attributes[key])) as [number, number, number];
    return [{ x, y, width, fill: rect.attributes["fill"]!, tip: tip.text, text: elementsOf(g, "text")[0]!.text }];
  });
const draw = (options: Partial<Parameters<typeof colouredTokens>[0]> = {}): XmlNode =>
  parseXml(colouredTokens({ title: "Why", tokens, values, ...options }));

describe("colouredTokens", () => {
  it("shows every token once, with white space visible and markup escaped", () => {
    const boxes = boxesOf(draw());
    expect(boxes.map(({ text }) => text)).toEqual(["not", "␣bad", "⏎", "<b>", "∅"]);
    expect(boxes.map(({ tip }) => tip)).toEqual(["not: 0.5", "␣bad: -1", "⏎: 0", "<b>: 0.25", "∅: 0"]);
  });

  it("colours blue below zero and red above, up to the largest magnitude or the limit", () => {
    const at = (share: number): string => hexOf(colorAt(blueWhiteRed, (share + 1) / 2));
    expect(boxesOf(draw()).map(({ fill }) => fill)).toEqual([0.5, -1, 0, 0.25, 0].map(at));
    expect(boxesOf(draw({ limit: 0.5 })).map(({ fill }) => fill)).toEqual([1, -1, 0, 0.5, 0].map(at));
    expect(draw({ limit: 0.5 }).text).toContain("Attribution, 1 beyond");
    expect(draw().text).toContain("-1");
    expect(draw({ values: [0, 0, 0, 0, 0] }).text).toContain("All attributions are 0.");
  });

  it("wraps, and goes on below a token that ends a line", () => {
    const boxes = boxesOf(draw());
    expect(boxes.slice(0, 3).every(({ y }) => y === boxes[0]!.y)).toBe(true);
    expect(boxes[3]!.y).toBeGreaterThan(boxes[0]!.y);
    expect(boxes[3]!.x).toBe(boxes[0]!.x);
    const many = Array.from({ length: 60 }, (_, i) => `token${i}`);
    const wide = draw({ tokens: many, values: many.map((_, i) => i), width: 400 });
    const all = boxesOf(wide);
    expect(new Set(all.map(({ y }) => y)).size).toBeGreaterThan(5);
    expect(Math.max(...all.map(({ x, width }) => x + width))).toBeLessThanOrEqual(400 - 16);
    const overlapping = all.some((a, i) =>
      all.slice(i + 1).some((b) => b.y === a.y && b.x < a.x + a.width && a.x < b.x + b.width),
    );
    expect(overlapping).toBe(false);
    expect(Number(wide.attributes["height"])).toBeGreaterThan(Math.max(...all.map(({ y }) => y)) + 24);
    const [long] = boxesOf(draw({ tokens: ["x".repeat(500)], values: [1], width: 300 }));
    expect(long!.x + long!.width).toBeLessThanOrEqual(300 - 16);
    expect(long!.text.endsWith("…")).toBe(true);
  });

  it("aligns several lines, on one scale", () => {
    const svg = draw({ values: { first: values, second: [2, 0, 0, 0, 0] } });
    const boxes = boxesOf(svg);
    expect(boxes.length).toBe(10);
    // The lines of the text before the break, then those after it.
    const [first, second] = [boxes.slice(0, 3), boxes.slice(3, 6)];
    expect(second.map(({ x }) => x)).toEqual(first.map(({ x }) => x));
    expect(second[0]!.y).toBeGreaterThan(first[0]!.y);
    expect(second[0]!.tip).toBe("second, not: 2");
    expect(second[0]!.fill).toBe(hexOf(colorAt(blueWhiteRed, 1)));
    expect(first[1]!.fill).toBe(hexOf(colorAt(blueWhiteRed, 0.25)));
    expect(elementsOf(svg, "text").filter(({ text }) => text === "second").length).toBe(2);
    expect(first[0]!.x).toBeGreaterThan(boxesOf(draw())[0]!.x);
  });

  it("writes numbers below, if asked, and describes itself", () => {
    const svg = draw({ numbers: true, values: [0.12345, -1, 0, 0.25, 0.0001] });
    const written = elementsOf(svg, "text").map(({ text }) => text);
    expect(written).toEqual(expect.arrayContaining(["0.1", "-1", "0.3"]));
    expect(written).not.toContain("0.0001");
    expect(boxesOf(svg)[0]!.width).toBeGreaterThan(20);
    expect(elementsOf(draw(), "desc")[0]!.text).toBe(
      "strongest of 5 tokens: ␣bad: -1; not: 0.5; <b>: 0.25; ⏎: 0; ∅: 0.",
    );
    expect(elementsOf(draw({ description: "Mine" }), "desc")[0]!.text).toBe("Mine");
  });

  it("goes into a report", async () => {
    const content = colouredTokens({ title: "Why", tokens: ["<script>", "fine"], values: [1, 2] });
    const page = await report({ title: "t", figures: [{ content, caption: "c" }] });
    expect(page).toContain("&lt;script&gt;");
    expect(page).not.toMatch(/<script/i);
  });

  it("refuses what does not fit", () => {
    const bad = (options: Partial<Parameters<typeof colouredTokens>[0]>) => () => draw(options);
    expect(bad({ values: [1, 2] })).toThrow(ShapeError);
    expect(bad({ values: { ig: [1, 2] } })).toThrow(/of "ig"/);
    expect(bad({ values: [1, 2, NaN, 0, 0] })).toThrow(NumericError);
    expect(bad({ values: {} })).toThrow(ArgumentError);
    expect(bad({ tokens: [], values: [] })).toThrow(ArgumentError);
    expect(bad({ limit: 0 })).toThrow(/limit/);
    expect(bad({ width: 100 })).toThrow(ArgumentError);
  });
});
