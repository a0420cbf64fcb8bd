import { describe, expect, it } from "vitest";
import { ArgumentError, NumericError, ShapeError } from "../../src/tensor/errors.ts";
import {
  type InteractionScatterOptions,
  type PairNetworkOptions,
  colorAt,
  interactionScatter,
  pairNetwork,
  viridis,
} from "../../src/view/index.ts";
import { textWidth } from "../../src/view/svg.ts";
import { type XmlNode, elementsOf, parseXml } from "./xml.ts";

const NASTY = `<b>"R&D"</b>`;
const textsOf = (node: XmlNode) => elementsOf(node, "text").map(({ text }) => text);
const numberOf = (node: XmlNode, name: string) => Number(node.attributes[name]);

describe("interactionScatter", () => {
  const scatter = (options: Partial<InteractionScatterOptions> = {}) =>
    interactionScatter({
      title: "t",
      values: [0, 5, 10],
      attributions: [-1, 0, 1],
      partner: [0, 50, 100],
      x: { label: "age", unit: "years" },
      y: { label: "attribution" },
      partnerAxis: { label: "dose", unit: "mg", domain: [0, 100] },
      ...options,
    });

  it("puts dots where the ticks say, in the colour of the partner", () => {
    const svg = parseXml(scatter());
    const [plot] = elementsOf(svg, "svg") as [XmlNode];
    const dots = elementsOf(plot, "circle");
    const margin = 3.4 + 1;
    const tick = (text: string, anchor: string, y: "x" | "y") => {
      const found = elementsOf(svg, "text").find((t) => t.text === text && t.attributes["text-anchor"] === anchor)!;
      return numberOf(found, y);
    };
    const places = dots.map((c) => [
      numberOf(plot, "x") + margin + numberOf(c, "cx"),
      numberOf(plot, "y") + margin + numberOf(c, "cy"),
    ]);
    expect(places[0]![0]).toBeCloseTo(tick("0", "middle", "x"), 1);
    expect(places[2]![0]).toBeCloseTo(tick("10", "middle", "x"), 1);
    expect(places[0]![1]).toBeCloseTo(tick("-1.0", "end", "y") - 13 * 0.35, 1);
    expect(places[1]![1]).toBeCloseTo(tick("0.0", "end", "y") - 13 * 0.35, 1);
    expect(dots.map((c) => c.attributes["fill"])).toEqual(
      [0, 0.5, 1].map((t) => `#${Buffer.from(colorAt(viridis, t)).toString("hex")}`),
    );
    expect(dots[1]!.text).toBe("age 5, attribution 0, dose 50");
    expect(svg.children[1]!.text).toBe(
      "attribution from -1 to 1 against age (years) for 3 examples, coloured by dose (mg). " +
        "Correlation of attribution with dose: 1.00.",
    );
  });

  it("clips the partner's outliers and says so", () => {
    const m = 101;
    const ramp = Array.from({ length: m }, (_, i) => i);
    const partner = ramp.map((i) => (i === 100 ? 1e6 : i));
    const svg = parseXml(scatter({ values: ramp, attributions: ramp, partner, partnerAxis: { label: "dose" } }));
    expect(textsOf(svg)).toContain("dose, clipped at the ends");
    expect(textsOf(svg)).toEqual(expect.arrayContaining(["2", "50", "98"]));
    const fills = elementsOf(svg, "circle").map((c) => c.attributes["fill"]);
    expect(fills[100]).toBe(fills[98]);
    expect(fills[50]).toBe(`#${Buffer.from(colorAt(viridis, 0.5)).toString("hex")}`);
  });

  it("draws a single example, constants, and thousands without tooltips", () => {
    for (const given of [
      { values: [1], attributions: [0], partner: [3] },
      { values: [1, 1], attributions: [0, 0], partner: [0, 0] },
    ]) {
      const source = scatter({ ...given, partnerAxis: { label: "dose" } });
      expect(source).not.toMatch(/NaN|Infinity|undefined/);
      expect(elementsOf(parseXml(source), "circle").length).toBe(given.values.length);
    }
    const many = new Float32Array(4000).map((_, i) => Math.sin(i));
    const svg = parseXml(scatter({ values: many, attributions: many, partner: many }));
    expect(elementsOf(svg, "circle").length).toBe(4000);
    expect(elementsOf(elementsOf(svg, "svg")[0]!, "title").length).toBe(0);
  });

  it("escapes names", () => {
    const labels = [NASTY, "b", "c"];
    const svg = parseXml(scatter({ title: NASTY, x: { label: NASTY }, partnerAxis: { label: NASTY }, labels }));
    expect(elementsOf(svg, "b")).toEqual([]);
    expect(elementsOf(svg, "circle")[0]!.text).toBe(`${NASTY}: ${NASTY} 0, attribution -1, ${NASTY} 0`);
  });

  it("refuses what it cannot draw", () => {
    expect(() => scatter({ values: [], attributions: [], partner: [] })).toThrow(ArgumentError);
    expect(() => scatter({ partner: [1] })).toThrow(ShapeError);
    expect(() => scatter({ labels: ["a"] })).toThrow(ShapeError);
    expect(() => scatter({ attributions: [0, NaN, 1] })).toThrow(NumericError);
    expect(() => scatter({ x: { label: "a", domain: [1, 1] } })).toThrow(ArgumentError);
    expect(() => scatter({ partnerAxis: { label: "a", domain: [2, 1] } })).toThrow(ArgumentError);
    expect(() => scatter({ height: 10 })).toThrow(ArgumentError);
  });
});

describe("pairNetwork", () => {
  const labels = ["a", "b", "c", "d"];
  // Pairs: a-b 4, a-c -2, c-d 1.
  const values = [9, 2, -1, 0, 2, 9, 0, 0, -1, 0, 9, 0.5, 0, 0, 0.5, 9];
  const network = (options: Partial<PairNetworkOptions> = {}) =>
    pairNetwork({ title: "t", values, labels, ...options });
  const linesOf = (svg: XmlNode) =>
    Object.fromEntries(elementsOf(svg, "path").map((path) => [path.text, path.attributes]));

  const discsOf = (svg: XmlNode) =>
    elementsOf(svg, "g").flatMap(({ children: [tip, disc] }) =>
      disc?.name === "circle" ? [{ tip: tip!.text, disc }] : [],
    );

  it("draws the strongest pairs with widths in proportion and colours by sign", () => {
    const lines = linesOf(parseXml(network()));
    expect(Object.keys(lines).sort()).toEqual(["a × b: 4", "a × c: -2", "c × d: 1"]);
    expect(lines["a × b: 4"]!["stroke-width"]).toBe("9");
    expect(lines["a × c: -2"]!["stroke-width"]).toBe("4.5");
    expect(lines["c × d: 1"]!["stroke"]).toBe(lines["a × b: 4"]!["stroke"]);
    expect(lines["a × c: -2"]!["stroke"]).not.toBe(lines["a × b: 4"]!["stroke"]);
    const top = parseXml(network({ top: 1 }));
    expect(Object.keys(linesOf(top))).toEqual(["a × b: 4"]);
    expect(textsOf(top)).toContain("Lines: G_ij + G_ji, the widest ±4; 1 of 6 pairs.");
  });

  it("joins the discs of the two features", () => {
    const svg = parseXml(network());
    const discs = Object.fromEntries(
      discsOf(svg).map(({ tip, disc }) => [tip, `${disc.attributes["cx"]} ${disc.attributes["cy"]}`]),
    );
    const d = linesOf(svg)["a × c: -2"]!["d"]!;
    expect(d.startsWith(`M${discs["a"]}Q`)).toBe(true);
    expect(d.endsWith(` ${discs["c"]}`)).toBe(true);
  });

  it("gives discs the area and the colour of their attribution", () => {
    const svg = parseXml(network({ attributions: [4, -4, 1, 0] }));
    const [a, b, d, c] = discsOf(svg).map(({ disc }) => disc) as [XmlNode, XmlNode, XmlNode, XmlNode];
    // a and b on the right, then the left half, from its top as well: d, c.
    expect(discsOf(svg).map(({ tip }) => tip)).toEqual(["a: 4", "b: -4", "d: 0", "c: 1"]);
    expect(numberOf(c, "r") / numberOf(a, "r")).toBeCloseTo(0.5, 5);
    expect(a.attributes["fill"]).toBe(c.attributes["fill"]);
    expect(new Set([a, b, d].map(({ attributes }) => attributes["fill"])).size).toBe(3);
  });

  it("keeps all names inside and apart, for few and many features, short and long", () => {
    for (const n of [1, 2, 3, 7, 24, 60, 200]) {
      for (const long of [false, true]) {
        for (const width of [undefined, 480]) {
          const some = Array.from({ length: n }, (_, i) => `f${i}${long ? " of a very long name".repeat(3) : ""}`);
          const given = Float64Array.from({ length: n * n }, (_, k) => Math.cos(k * k));
          const source = network({ labels: some, values: given, top: 40, width });
          expect(source).not.toMatch(/NaN|Infinity|undefined/);
          expectApart(parseXml(source));
        }
      }
    }
  });

  it("leaves out features without a line only where there are many", () => {
    expect(elementsOf(parseXml(network({ top: 1 })), "circle").length).toBe(4);
    const n = 200;
    const sparse = new Float64Array(n * n);
    sparse[3 * n + 150] = -2;
    const names = Array.from({ length: n }, (_, i) => `f${i}`);
    const svg = parseXml(network({ labels: names, values: sparse }));
    expect(discsOf(svg).map(({ tip }) => tip)).toEqual(["f3", "f150"]);
    expect(textsOf(svg).join(" ")).toContain("1 of 19900 pairs; 198 features without a line are left out.");
    expect(textsOf(parseXml(network({ labels: names, values: new Float64Array(n * n) })))).toContain(
      "No two features interact.",
    );
  });

  it("escapes names", () => {
    const svg = parseXml(network({ title: NASTY, labels: [NASTY, "b", "c", "d"] }));
    expect(elementsOf(svg, "b")).toEqual([]);
    expect(linesOf(svg)[`${NASTY} × b: 4`]).toBeDefined();
  });

  it("refuses what it cannot draw", () => {
    expect(() => network({ values: [1] })).toThrow(ShapeError);
    expect(() => network({ attributions: [1] })).toThrow(ShapeError);
    expect(() => network({ attributions: [1, 2, 3, NaN] })).toThrow(NumericError);
    expect(() => network({ top: -1 })).toThrow(ArgumentError);
    expect(() => network({ width: 100 })).toThrow(ArgumentError);
  });
});

/** No two texts of a drawing overlap, and none leaves it, with widths as they are estimated for layout. */
function expectApart(svg: XmlNode): void {
  const boxes = elementsOf(svg, "text").map((node) => {
    const width = textWidth(node.text, numberOf(node, "font-size") || 13);
    const [x, y] = [numberOf(node, "x"), numberOf(node, "y")];
    const left = node.attributes["text-anchor"] === "end" ? x - width : x;
    return { text: node.text, left, right: left + width, top: y - 11, bottom: y + 3 };
  });
  const [width, height] = [numberOf(svg, "width"), numberOf(svg, "height")];
  boxes.forEach((a, i) => {
    if (a.left < 0 || a.right > width || a.top < 0 || a.bottom > height) throw new Error(`"${a.text}" is outside`);
    for (const b of boxes.slice(0, i)) {
      const apart = a.right <= b.left || b.right <= a.left || a.bottom <= b.top || b.bottom <= a.top;
      if (!apart) throw new Error(`"${a.text}" lies on "${b.text}"`);
    }
  });
}
