import { describe, expect, it } from "vitest";
import { ArgumentError, NumericError, ShapeError } from "../../src/tensor/errors.ts";
import {
  type InteractionMatrixOptions,
  blueWhiteRed,
  colorAt,
  interactionMatrix,
  interactionSection,
  report,
  strongestPairs,
  textMatrix,
} from "../../src/view/index.ts";
import { type XmlNode, elementsOf, parseXml } from "./xml.ts";

const NASTY = `<b>"R&D"</b> \u0000`;
const NASTY_SEEN = `<b>"R&D"</b> \ufffd`;

/** Symmetric, zero but for the given entries [i, j, value]. */
function matrixOf(n: number, entries: readonly (readonly [number, number, number])[]): Float64Array {
  const values = new Float64Array(n * n);
  for (const [i, j, value] of entries) values[i * n + j] = values[j * n + i] = value;
  return values;
}
const names = (n: number) => Array.from({ length: n }, (_, i) => `f${i}`);
const sample = matrixOf(3, [
  [0, 0, 10],
  [0, 1, 0.5],
  [0, 2, -1],
]);
const matrix = (options: Partial<InteractionMatrixOptions> = {}) =>
  parseXml(interactionMatrix({ title: "t", values: sample, labels: ["a", "b", "c"], ...options }));

const textsOf = (node: XmlNode) => elementsOf(node, "text").map(({ text }) => text);
const hex = (t: number) => `#${Buffer.from(colorAt(blueWhiteRed, t)).toString("hex")}`;

/** Cells with a tooltip: what it says, and the rectangle. */
function cellsOf(svg: XmlNode) {
  return elementsOf(svg, "g").flatMap((g) => {
    const [tip, box] = g.children;
    return tip?.name === "title" && box?.name === "rect"
      ? [{ tip: tip.text, box: box.attributes, text: textsOf(g)[0] }]
      : [];
  });
}

describe("interactionMatrix", () => {
  it("colours cells on the scale of the entries off the diagonal, and says so", () => {
    const svg = matrix();
    const colors = Object.fromEntries(cellsOf(svg).map(({ tip, box }) => [tip, box["fill"]]));
    expect(colors["a × c: -1"]).toBe(hex(0));
    expect(colors["a × b: 0.5"]).toBe(hex(0.75));
    expect(colors["b × c: 0"]).toBe(hex(0.5));
    expect(colors["a alone: 10"]).toBe(hex(1));
    const notes = textsOf(svg).join(" ");
    expect(notes).toContain("Colours end at ±1 (largest magnitude off the diagonal). Beyond: 1 self term.");
  });

  it("takes the end of the colours from a percentile or a limit", () => {
    // Off the diagonal: 0, 0, 0.5, 0.5, 1, 1; the 50th percentile is 0.5.
    const half = matrix({ percentile: 50 });
    expect(textsOf(half).join(" ")).toContain(
      "Colours end at ±0.5 (50th percentile of the magnitudes off the diagonal)",
    );
    expect(textsOf(half).join(" ")).toContain("Beyond: 2 entries off the diagonal and 1 self term.");
    const wide = cellsOf(matrix({ limit: 20 }));
    expect(wide.find(({ tip }) => tip === "a alone: 10")!.box["fill"]).toBe(hex(0.75));
    const sparse = matrix({ percentile: 10 }); // the 10th percentile is 0
    expect(textsOf(sparse).join(" ")).toContain("Colours end at ±1");
  });

  it("places entry (i, j) in row i and column j, in the order asked for", () => {
    const values = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    const places = (svg: XmlNode) =>
      [...cellsOf(svg)]
        .sort((a, b) => Number(a.box["y"]) - Number(b.box["y"]) || Number(a.box["x"]) - Number(b.box["x"]))
        .map(({ tip }) => Number(tip.split(": ")[1]));
    expect(places(matrix({ values }))).toEqual(values);
    // Strengths (G_ij + G_ji): a 6 + 10, b 6 + 14, c 10 + 14.
    expect(places(matrix({ values, order: "strength" }))).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1]);
  });

  it("leaves the diagonal out when asked", () => {
    const svg = matrix({ diagonal: "hide" });
    expect(cellsOf(svg).length).toBe(6);
    expect(cellsOf(svg).some(({ tip }) => tip.includes("alone"))).toBe(false);
    expect(textsOf(svg).join(" ")).not.toContain("Beyond");
  });

  it("writes numbers that fit, as multiples of a power of ten where they are too long", () => {
    expect(cellsOf(matrix()).map(({ text }) => text)).toEqual([
      "10.0",
      "0.5",
      "-1.0",
      "0.5",
      "0",
      "0",
      "-1.0",
      "0",
      "0",
    ]);
    const small = matrix({ values: sample.map((v) => v * 3e-7) });
    expect(cellsOf(small)[2]!.text).toBe("-3.0");
    expect(textsOf(small).join(" ")).toContain("Numbers in multiples of 1e-7.");
    expect(cellsOf(matrix({ cell: 9 })).every(({ text }) => text === undefined)).toBe(true);
  });

  it("keeps ink readable on its cell", () => {
    const luminance = (color: string) => {
      const [r, g, b] = [1, 3, 5].map((k) => {
        const v = parseInt(color.slice(k, k + 2), 16) / 255;
        return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
      }) as [number, number, number];
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const n = 21;
    const values = matrixOf(
      n,
      Array.from({ length: n - 1 }, (_, k) => [0, k + 1, (k - 9.5) / 9.5]),
    );
    const svg = parseXml(interactionMatrix({ title: "t", values, labels: names(n), percentile: 100 }));
    const inked = elementsOf(svg, "g").filter((g) => g.children[1]?.name === "rect" && g.children[2]?.name === "text");
    expect(inked.length).toBe(n * n);
    for (const { children } of inked) {
      const [paper, ink] = [children[1]!, children[2]!].map((node) => luminance(node.attributes["fill"]!));
      const [dark, light] = [paper!, ink!].sort((a, b) => a - b) as [number, number];
      expect((light + 0.05) / (dark + 0.05)).toBeGreaterThan(4);
    }
  });

  it("draws one feature, and two hundred without a rectangle for each cell", () => {
    const one = interactionMatrix({ title: "t", values: [-2], labels: ["only"] });
    expect(one).not.toMatch(/NaN|Infinity|undefined/);
    expect(cellsOf(parseXml(one))[0]!.box["fill"]).toBe(hex(0));

    const n = 200;
    const values = matrixOf(n, [
      [3, 7, 1],
      [5, 5, -9],
    ]);
    const source = interactionMatrix({ title: "t", values, labels: names(n), percentile: 100 });
    expect(source).not.toMatch(/NaN|Infinity|undefined/);
    const svg = parseXml(source);
    const paths: Record<string, string> = Object.fromEntries(
      elementsOf(svg, "path").map(({ attributes: a }) => [a["stroke"]!, a["d"]!]),
    );
    expect(paths[hex(1)]).toBe("M7 3h1M3 7h1");
    expect(paths[hex(0)]).toBe("M5 5h1");
    expect(paths[hex(0.5)]!.startsWith("M0 0h200M0 1h200M0 2h200M0 3h7M8 3h192")).toBe(true);
    expect(textsOf(svg).filter((text) => /^f\d/.test(text)).length).toBe(2 * 40);
    expect(textsOf(svg).join(" ")).toContain("One row in 5 is named.");
  });

  it("draws what merged cells share as it draws single ones", () => {
    // A checkerboard of 41 features: every cell is a run of its own.
    const n = 41;
    const values = Float64Array.from({ length: n * n }, (_, k) => (k % 2 === 0 ? 1 : -1));
    const svg = parseXml(interactionMatrix({ title: "t", values, labels: names(n), diagonal: "hide" }));
    const runs = elementsOf(svg, "path").map(({ attributes }) => [
      attributes["stroke"],
      attributes["d"]!.split("M").length - 1,
    ]);
    // n * n is odd: 841 cells of +1, 840 of -1; the diagonal (even k throughout) takes 41 of +1.
    expect(runs.sort()).toEqual(
      [
        [hex(0), 840],
        [hex(1), 800],
      ].sort(),
    );
  });

  it("keeps all names inside the picture", () => {
    for (const labels of [
      ["a", "b", "c".repeat(80)],
      ["x".repeat(80), "b", "c"],
      ["漢字漢字漢字", "W".repeat(30), "i"],
    ]) {
      const svg = matrix({ labels });
      const width = Number(svg.attributes["width"]);
      for (const { attributes, children, text } of [...elementsOf(svg, "g")]) {
        const turn = /translate\((.*) (.*)\) rotate\(-45\)/.exec(attributes["transform"] ?? "");
        if (!turn || children[0]?.name !== "text") continue;
        expect(Number(turn[1]) + text.length * 13 * 0.55 * Math.SQRT1_2).toBeLessThan(width);
        expect(Number(turn[2]) - text.length * 13 * 0.55 * Math.SQRT1_2).toBeGreaterThan(0);
      }
    }
  });

  it("escapes names", () => {
    const svg = matrix({ title: NASTY, labels: [NASTY, "b", "c"], valueLabel: NASTY });
    expect(elementsOf(svg, "b")).toEqual([]);
    expect(cellsOf(svg)[1]!.tip).toBe(`${NASTY_SEEN} × b: 0.5`);
    expect(svg.children[1]!.text).toBe(`3 features. Strongest pairs: ${NASTY_SEEN} × c: -2; ${NASTY_SEEN} × b: 1.`);
  });

  it("refuses what it cannot draw", () => {
    expect(() => matrix({ labels: [] })).toThrow(ArgumentError);
    expect(() => matrix({ labels: ["a", "b"] })).toThrow(ShapeError);
    expect(() => matrix({ values: sample.map((v, i) => (i === 4 ? NaN : v)) })).toThrow(NumericError);
    expect(() => matrix({ percentile: 101 })).toThrow(ArgumentError);
    expect(() => matrix({ limit: 0 })).toThrow(ArgumentError);
    expect(() => matrix({ cell: 0 })).toThrow(ArgumentError);
    const labels = names(401);
    expect(() => interactionMatrix({ title: "t", labels, values: new Float32Array(401 * 401) })).toThrow(/heatMap/);
  });
});

describe("textMatrix", () => {
  const tokens = ["not", " bad", "\n", "", "<b>"];
  const values = matrixOf(5, [[0, 1, 2]]);

  it("shows white space and hostile tokens", () => {
    const svg = parseXml(textMatrix({ title: "t", tokens, values }));
    for (const name of ["not", "␣bad", "⏎", "∅", "<b>"]) {
      expect(textsOf(svg).filter((text) => text === name).length).toBe(2);
    }
    expect(elementsOf(svg, "b")).toEqual([]);
  });

  it("colours the line of tokens by their attributions", () => {
    const svg = parseXml(textMatrix({ title: "t", tokens, values, attributions: [4, -2, 0, 0, 1] }));
    const line = cellsOf(svg).slice(0, 5);
    expect(line.map(({ text }) => text)).toEqual(["not", "␣bad", "⏎", "∅", "<b>"]);
    expect(line.map(({ box }) => box["fill"])).toEqual([1, 0.25, 0.5, 0.5, 0.625].map(hex));
    expect(textsOf(svg).join(" ")).toContain("Attributions of the tokens; colours end at ±4.");
  });

  it("breaks a long line of tokens inside the picture", () => {
    const many = Array.from({ length: 60 }, (_, i) => `token${i}`);
    const svg = parseXml(
      textMatrix({ title: "t", tokens: many, values: new Float32Array(3600), attributions: new Float32Array(60) }),
    );
    const boxes = cellsOf(svg).map(({ box }) => box);
    expect(boxes.length).toBe(60);
    expect(new Set(boxes.map((box) => box["y"])).size).toBeGreaterThan(1);
    for (const box of boxes) {
      expect(Number(box["x"]) + Number(box["width"])).toBeLessThanOrEqual(Number(svg.attributes["width"]) - 16);
    }
  });

  it("refuses attributions of another length", () => {
    expect(() => textMatrix({ title: "t", tokens, values, attributions: [1] })).toThrow(ShapeError);
    expect(() => textMatrix({ title: "t", tokens, values, attributions: [1, 2, 3, 4, Infinity] })).toThrow(
      NumericError,
    );
  });
});

describe("strongestPairs", () => {
  it("adds both entries of a pair and leaves self terms out", () => {
    const values = [9, 1, 2, 3, 9, -8, 4, -5, 9];
    const svg = parseXml(strongestPairs({ title: "t", values, labels: ["a", "b", "c"], top: 2 }));
    const tips = elementsOf(svg, "g").map((g) => elementsOf(g, "title")[0]!.text);
    expect(tips).toEqual(["b × c: -13", "a × c: 6"]);
    expect(textsOf(svg)).toContain("2 of 3 shown");
  });

  it("draws positive pairs red, with and without negative ones", () => {
    const fillsOf = (values: number[]) =>
      elementsOf(parseXml(strongestPairs({ title: "t", values, labels: ["a", "b", "c"] })), "g").map(
        (g) => elementsOf(g, "rect")[0]!.attributes["fill"],
      );
    const [red, blue] = fillsOf([0, 2, 0, 2, 0, -1, 0, -1, 0]);
    expect(blue).not.toBe(red);
    expect(fillsOf([0, 2, 0, 2, 0, 1, 0, 1, 0])).toEqual([red, red, red]);
  });

  it("keeps both names of a pair, however long one is", () => {
    const svg = parseXml(
      strongestPairs({ title: "t", values: [0, 1, 1, 0], labels: ["a name that goes on ".repeat(5), "short"] }),
    );
    expect(textsOf(svg).some((text) => /^a name .*… × short$/.test(text))).toBe(true);
  });

  it("refuses what it cannot draw", () => {
    const of = (options: object) =>
      strongestPairs({ title: "t", values: [0, 1, 1, 0], labels: ["a", "b"], ...options });
    expect(() => of({ values: [1], labels: ["a"] })).toThrow(ArgumentError);
    expect(() => of({ values: [1, 2] })).toThrow(ShapeError);
    expect(() => of({ top: 0 })).toThrow(ArgumentError);
    expect(() => of({ width: NaN })).toThrow(ArgumentError);
  });
});

describe("interactionSection", () => {
  // f = x0 x1 + x2 at (2, 3, 1) from 0: the product splits into four equal parts.
  const values = [1.5, 1.5, 0, 1.5, 1.5, 0, 0, 0, 1];
  const options = { values, labels: ["a", "b", "c"], attributions: [3, 3, 1.25], scores: { input: 7.5, baseline: 0 } };

  it("says how well the matrix adds up", () => {
    const { facts } = interactionSection({ ...options, facts: { nodes: 16 } });
    expect(facts).toEqual({
      features: 3,
      "sum of all entries": 7,
      "f(x) - f(x')": 7.5,
      "delta (sum less difference)": -0.5,
      "largest row residual": 0.25,
      "magnitude off the diagonal": "42.9 %",
      "relative asymmetry": 0,
      nodes: 16,
    });
    const skewed = interactionSection({ values: [0, 1, 0.5, 2], labels: ["a", "b"] });
    expect(skewed.facts!["relative asymmetry"]).toBe(0.25);
    expect(Object.keys(skewed.facts!)).not.toContain("largest row residual");
  });

  it("has a table of the strongest pairs and three pictures that report() takes", async () => {
    const section = interactionSection({ ...options, top: 2 });
    expect(section.tables![0]!.rows).toEqual([
      ["a", "b", 3, "100.0 %", 3, 3],
      ["a", "c", 0, "0.0 %", 3, 1.25],
    ]);
    expect(section.figures!.length).toBe(3);
    for (const { content } of section.figures!) parseXml(content as string);
    const html = await report({ title: "t", sections: [section] });
    expect(html.match(/<svg /g)!.length).toBe(3);
    expect(html).not.toMatch(/NaN|Infinity|undefined/);
  });

  it("tells equal tokens apart", () => {
    const tokens = [" not", " not", "x"];
    const { tables, figures } = interactionSection({ values, labels: tokens, tokens: true, attributions: [1, 2, 3] });
    expect(tables![0]!.rows[0]!.slice(0, 2)).toEqual(["␣not (1)", "␣not (2)"]);
    expect(textsOf(parseXml(figures![0]!.content as string)).join(" ")).toContain(
      "Attributions of the tokens; colours end at ±3.",
    );
  });

  it("keeps what makes sense of one feature and of very many", () => {
    const one = interactionSection({ values: [2], labels: ["a"] });
    expect([one.figures!.length, one.tables!.length]).toEqual([1, 0]);
    const n = 401;
    const many = interactionSection({ values: matrixOf(n, [[0, 400, 1]]), labels: names(n) });
    expect(many.figures!.length).toBe(2);
    expect(many.tables![0]!.rows[0]!.slice(0, 3)).toEqual(["f0", "f400", 2]);
  });

  it("refuses what does not fit", () => {
    expect(() => interactionSection({ ...options, attributions: [1] })).toThrow(ShapeError);
    expect(() => interactionSection({ ...options, scores: { input: NaN, baseline: 0 } })).toThrow(NumericError);
    expect(() => interactionSection({ ...options, values: [1] })).toThrow(ShapeError);
    expect(() => interactionSection({ ...options, top: 0.5 })).toThrow(ArgumentError);
  });
});
