import { describe, expect, it } from "vitest";
import { ArgumentError, NumericError, ShapeError } from "../../src/tensor/errors.ts";
import {
  type LineChartOptions,
  barChart,
  blueWhiteRed,
  colorBar,
  escapeText,
  lineChart,
} from "../../src/view/index.ts";
import { type XmlNode, elementsOf, parseXml } from "./xml.ts";

const NASTY = `<b>"R&D"</b> 'x' \u0000\ud800 漢字 α`;
const NASTY_SEEN = `<b>"R&D"</b> 'x' \ufffd\ufffd 漢字 α`;

const curve = (name: string, y: number[]) => ({ name, x: y.map((_, i) => i / Math.max(1, y.length - 1)), y });
const chart = (options: Partial<LineChartOptions> = {}) =>
  lineChart({
    title: "Score",
    series: [curve("cat", [0, 5, 10])],
    x: { label: "α" },
    y: { label: "score", unit: "logit" },
    ...options,
  });

const textsOf = (svg: XmlNode) => elementsOf(svg, "text").map(({ text }) => text);
const numbersOf = (node: XmlNode, ...names: string[]) => names.map((name) => Number(node.attributes[name]));

describe("escapeText", () => {
  it("leaves nothing that could open a tag, an attribute or an entity", () => {
    expect(escapeText(`<a href="x" b='y'>&amp;`)).toBe("&lt;a href=&quot;x&quot; b=&#39;y&#39;&gt;&amp;amp;");
    expect(parseXml(`<t>${escapeText(NASTY)}</t>`).text).toBe(NASTY_SEEN);
  });
});

describe("lineChart", () => {
  it("is one XML element with a name and a description for screen readers", () => {
    const svg = parseXml(chart());
    expect(svg.name).toBe("svg");
    expect(svg.attributes["xmlns"]).toBe("http://www.w3.org/2000/svg");
    expect(svg.attributes["role"]).toBe("img");
    expect(svg.children.slice(0, 2).map(({ name }) => name)).toEqual(["title", "desc"]);
    expect(svg.children[1]!.text).toBe("score (logit) against α. cat goes from 0 at 0 to 10 at 1.");
  });

  it("puts points where the ticks say", () => {
    const svg = parseXml(chart({ series: [curve("cat", [0, 2.5, 10])] }));
    const [plot] = elementsOf(svg, "svg") as [XmlNode];
    const [left, top] = numbersOf(plot, "x", "y").map((v) => v + 5) as [number, number];
    const points = elementsOf(plot, "circle").map((c) => numbersOf(c, "cx", "cy"));
    const heightOf = (text: string) => {
      const tick = elementsOf(svg, "text").find((t) => t.text === text && t.attributes["text-anchor"] === "end")!;
      return Number(tick.attributes["y"]) - 13 * 0.35 - top;
    };
    expect(points.length).toBe(3);
    expect(points[0]![1]).toBeCloseTo(heightOf("0"), 1);
    expect(points[2]![1]).toBeCloseTo(heightOf("10"), 1);
    expect(points[1]![1]).toBeCloseTo(0.75 * heightOf("0") + 0.25 * heightOf("10"), 1);
    expect(points[1]![0]).toBeCloseTo((points[0]![0]! + points[2]![0]!) / 2, 1);
    expect(left + points[2]![0]!).toBeLessThan(640);
  });

  it("names several series in a legend, one series not", () => {
    expect(textsOf(parseXml(chart()))).not.toContain("cat");
    const svg = parseXml(chart({ series: [curve("cat", [0, 1]), curve(NASTY, [1, 0])] }));
    expect(textsOf(svg)).toContain("cat");
    expect(textsOf(svg)).toContain(NASTY_SEEN);
    const strokes = elementsOf(svg, "polyline").map(({ attributes }) => [
      attributes["stroke"],
      attributes["stroke-dasharray"],
    ]);
    expect(new Set(strokes.map(String)).size).toBe(2);
  });

  it("tells twelve series apart by colour and dash", () => {
    const series = Array.from({ length: 12 }, (_, i) => curve(`layer ${i}`, [i, 2 * i]));
    const lines = elementsOf(parseXml(chart({ series })), "polyline");
    const looks = lines.map(({ attributes }) => `${attributes["stroke"]} ${attributes["stroke-dasharray"]}`);
    expect(new Set(looks).size).toBe(12);
  });

  it("keeps labels inside and apart, for large, small and flat data", () => {
    for (const y of [[0, 3e-7], [-123456, 987654], [5, 5], [0], [1e12, 2e12], [-1e-5, 1e-5]]) {
      const svg = parseXml(chart({ series: [curve("a", y)], width: 320, height: 200 }));
      expect(/NaN|Infinity/.test(chart({ series: [curve("a", y)] }))).toBe(false);
      const places = elementsOf(svg, "text").filter(({ attributes }) => attributes["text-anchor"] === "end");
      const heights = places.map(({ attributes }) => Number(attributes["y"])).sort((a, b) => a - b);
      heights.forEach((h, i) => expect(h - (heights[i - 1] ?? -99)).toBeGreaterThan(11));
      for (const { text, attributes } of places) {
        expect(Number(attributes["x"]) - text.length * 13 * 0.6).toBeGreaterThan(0);
      }
    }
  });

  it("writes long and hostile titles safely", () => {
    const svg = parseXml(chart({ title: `${NASTY} ${"very long ".repeat(30)}`, description: NASTY }));
    expect(svg.children[0]!.text).toContain(NASTY_SEEN);
    expect(svg.children[1]!.text).toBe(NASTY_SEEN);
    expect(elementsOf(svg, "b")).toEqual([]);
    expect(textsOf(svg).some((text) => text.endsWith("…"))).toBe(true);
  });

  it("refuses what it cannot draw", () => {
    expect(() => chart({ series: [] })).toThrow(ArgumentError);
    expect(() => chart({ series: [curve("a", [])] })).toThrow(ArgumentError);
    expect(() => chart({ series: [{ name: "a", x: [1, 2], y: [1] }] })).toThrow(ShapeError);
    expect(() => chart({ series: [curve("a", [0, NaN])] })).toThrow(NumericError);
    expect(() => chart({ x: { label: "α", domain: [1, 0] } })).toThrow(ArgumentError);
    expect(() => chart({ width: NaN })).toThrow(ArgumentError);
  });
});

describe("barChart", () => {
  const bars = [
    { label: "a", value: 1 },
    { label: "b", value: -4 },
    { label: NASTY, value: 2 },
  ];
  const boxesOf = (svg: XmlNode) => elementsOf(svg, "g").map((g) => elementsOf(g, "rect")[0]!);

  it("draws lengths in proportion, on the side of the sign", () => {
    const svg = parseXml(barChart({ title: "t", bars }));
    const zero = Number(elementsOf(svg, "line").at(-1)!.attributes["x1"]);
    const [a, b, c] = boxesOf(svg).map((box) => numbersOf(box, "x", "width")) as [number[], number[], number[]];
    expect(a[0]).toBe(zero);
    expect(b[0]! + b[1]!).toBeCloseTo(zero, 1);
    expect(b[1]! / a[1]!).toBeCloseTo(4, 1);
    expect(c[1]! / a[1]!).toBeCloseTo(2, 1);
    expect(boxesOf(svg)[0]!.attributes["fill"]).not.toBe(boxesOf(svg)[1]!.attributes["fill"]);
  });

  it("keeps the top bars by magnitude and says what it left out", () => {
    const svg = parseXml(barChart({ title: "t", bars, top: 2 }));
    const tips = elementsOf(svg, "g").map((g) => elementsOf(g, "title")[0]!.text);
    expect(tips).toEqual(["b: -4", `${NASTY_SEEN}: 2`]);
    expect(textsOf(svg)).toContain("2 of 3 shown");
    expect(svg.children[1]!.text).toBe(`b: -4; ${NASTY_SEEN}: 2`);
  });

  it("writes values as asked", () => {
    const percent = (v: number) => `${(100 * v).toFixed(1)} %`;
    const svg = parseXml(
      barChart({ title: "t", bars: [{ label: "cat", value: 0.5 }], format: percent, valueLabel: "p" }),
    );
    expect(textsOf(svg)).toEqual(["t", "p", "cat", "50.0 %"]);
  });

  it("draws all zeros and all negatives", () => {
    for (const value of [0, -3]) {
      const svg = barChart({ title: "t", bars: [{ label: "a", value }] });
      expect(/NaN|Infinity/.test(svg)).toBe(false);
      parseXml(svg);
    }
  });

  it("refuses what it cannot draw", () => {
    expect(() => barChart({ title: "t", bars: [] })).toThrow(ArgumentError);
    expect(() => barChart({ title: "t", bars: [{ label: "a", value: NaN }] })).toThrow(NumericError);
    expect(() => barChart({ title: "t", bars, top: 0 })).toThrow(ArgumentError);
  });
});

describe("colorBar", () => {
  it("shows the ends and the middle", () => {
    const svg = parseXml(colorBar({ title: "t", colors: blueWhiteRed, low: -0.5, high: 0.5 }));
    expect(textsOf(svg)).toEqual(["t", "-0.5", "0", "0.5"]);
    expect(() => colorBar({ title: "t", colors: blueWhiteRed, low: 1, high: 1 })).toThrow(ArgumentError);
  });
});
