import { describe, expect, test } from "vitest";
import { parseBreastCancer } from "../../examples/lib/breast-cancer.ts";
import { parseCsv } from "../../examples/lib/csv.ts";
import { datasetOf } from "../../examples/lib/dataset.ts";
import { columnFacts, filledRows, missingCount, standardised, stratifiedSplit } from "../../examples/lib/prepare.ts";
import { random } from "../../src/nn/index.ts";
import { ArgumentError, FormatError } from "../../src/tensor/errors.ts";

describe("CSV", () => {
  test("commas, quotes of both kinds, empty lines and Windows line ends", () => {
    const text = '\uFEFFage, name,label\r\n63,"Smith, ""Jo""",\'no\'\r\n\r\n,O\'Hara,\'yes\'\r\n';
    expect(parseCsv(text, "t")).toEqual({
      columns: ["age", "name", "label"],
      rows: [
        ["63", 'Smith, "Jo"', "no"],
        ["", "O'Hara", "yes"],
      ],
    });
  });

  test("semicolons and tabs; an empty last value; a line end inside quotes", () => {
    expect(parseCsv('a;b\n1,5; "x\ny"\n2;', "t").rows).toEqual([
      ["1,5", "x\ny"],
      ["2", ""],
    ]);
    expect(parseCsv("a\tb\n1\t2", "t").rows).toEqual([["1", "2"]]);
  });

  test("refuses what is no table, and says where", () => {
    expect(() => parseCsv("a,b\n1,2\n3\n", "t.csv")).toThrow(/t\.csv: row 2 has 1 values for 2 columns/);
    expect(() => parseCsv("a,a\n1,2\n", "t.csv")).toThrow(/two columns are called "a"/);
    expect(() => parseCsv("a,b\n", "t.csv")).toThrow(FormatError);
    expect(() => parseCsv("", "t.csv")).toThrow(FormatError);
  });
});

describe("data sets", () => {
  const table = parseCsv(
    "n,colour,sex,code,y\n1,red,f,3,no\n?,blue,m,4,yes\n3,green,?,3,yes\n4,red,f,7,no\n5,red,m,7,NA\n",
    "t",
  );
  const options = { name: "t", source: "here", label: "y" };

  test("categories become columns of zeros and ones, gaps NaN, and rows without a label go", () => {
    const data = datasetOf(table, { ...options, categories: ["code"] });
    expect(data.features).toEqual([
      "n",
      "colour=blue",
      "colour=green",
      "colour=red",
      "sex=m",
      "code=3",
      "code=4",
      "code=7",
    ]);
    expect(data.rows).toBe(4);
    expect([...data.x.subarray(8, 16)]).toEqual([NaN, 1, 0, 0, 1, 0, 1, 0]);
    expect([...data.x.subarray(16, 24)]).toEqual([3, 0, 1, 0, NaN, 1, 0, 0]);
    expect([...data.labels]).toEqual([0, 1, 1, 0]);
    expect(data.classes).toEqual({ positive: "yes", negative: "no" });
    expect(data.notes[0]).toMatch(/^1 rows without a label/);
  });

  test("the positive class can be named, and columns dropped", () => {
    const data = datasetOf(table, { ...options, label: "code", positive: "3", drop: ["y", "colour"] });
    expect(data.features).toEqual(["n", "sex=m"]);
    expect([...data.labels]).toEqual([1, 0, 1, 0, 0]);
    expect(data.classes).toEqual({ positive: "3", negative: "not 3" });
  });

  test("refusals name what there is", () => {
    expect(() => datasetOf(table, { ...options, label: "z" })).toThrow(/no column "z"; the columns are n, colour/);
    expect(() => datasetOf(table, { ...options, label: "code" })).toThrow(/3 different values \(3, 4, 7\)/);
    expect(() => datasetOf(table, { ...options, positive: "maybe" })).toThrow(ArgumentError);
    expect(() => datasetOf(table, { ...options, drop: ["colour", "sex", "code"] })).toThrow(/two columns are needed/);
    const wide = parseCsv(`id,y\n${Array.from({ length: 30 }, (_, i) => `a${i},${i % 2}`).join("\n")}`, "t");
    expect(() => datasetOf(wide, options)).toThrow(/30 different values; leave it out with --drop "id"/);
  });

  test("the breast cancer table turns 0 into the positive class", () => {
    const row = (label: number): string => [...Array.from({ length: 30 }, (_, i) => i + label), label].join(",");
    const data = parseBreastCancer(`2,30,malignant,benign\n${row(0)}\n${row(1)}\n`);
    expect(data.features[0]).toBe("mean radius");
    expect(data.features[27]).toBe("worst concave points");
    expect([...data.labels]).toEqual([1, 0]);
    expect(data.x[30]).toBe(1);
    expect(() => parseBreastCancer(`3,30,malignant,benign\n${row(0)}\n`)).toThrow(FormatError);
  });
});

describe("preparation", () => {
  const labels = Uint8Array.from({ length: 100 }, (_, i) => (i % 10 === 0 ? 1 : 0));

  test("the split keeps the share of each class, is complete, and follows its seed", () => {
    const { train, test: held } = stratifiedSplit(labels, 0.3, random("a"));
    expect(held.length).toBe(30);
    expect(held.filter((row) => labels[row] === 1).length).toBe(3);
    expect([...train, ...held].sort((a, b) => a - b)).toEqual([...labels.keys()]);
    expect(stratifiedSplit(labels, 0.3, random("a")).test).toEqual(held);
    expect(stratifiedSplit(labels, 0.3, random("b")).test).not.toEqual(held);
  });

  test("a class of two rows gives one to each part; a class of one cannot", () => {
    const { train, test: held } = stratifiedSplit(Uint8Array.of(1, 0, 0, 1, 0), 0.01, random(0));
    expect([train, held].map((rows) => rows.filter((row) => row === 0 || row === 3).length)).toEqual([1, 1]);
    expect(() => stratifiedSplit(Uint8Array.of(1, 0, 0), 0.5, random(0))).toThrow(ArgumentError);
  });

  test("gaps and scales come from the training rows alone", () => {
    const table = parseCsv("a,b,y\n1,5,0\n?,5,1\n3,5,0\n8,5,1\n1000,?,0\n?,7,1\n", "t");
    const data = datasetOf(table, { name: "t", source: "here", label: "y" });
    const train = Int32Array.of(0, 1, 2, 3);
    const facts = columnFacts(data, train);
    // Column a: 1, gap, 3, 8 -> median 3 -> 1, 3, 3, 8: mean 15 / 4, variance (1 + 9 + 9 + 64) / 4 - (15 / 4)^2.
    expect(facts.medians[0]).toBe(3);
    expect(facts.means[0]).toBe(3.75);
    expect(facts.deviations[0]).toBeCloseTo(Math.sqrt(83 / 4 - 3.75 ** 2), 12);
    // Column b is constant in training: divided by 1, not by 0.
    expect(facts.deviations[1]).toBe(1);
    const held = Int32Array.of(4, 5);
    expect(missingCount(data, train)).toBe(1);
    expect(missingCount(data, held)).toBe(2);
    const filled = filledRows(data, held, facts);
    expect([...filled]).toEqual([1000, 5, 3, 7]);
    const scaled = standardised(filled, facts);
    expect(scaled.shape).toEqual([2, 2]);
    expect(scaled.data[3]).toBe(2);
    expect(scaled.data[2]).toBeCloseTo(-0.75 / facts.deviations[0]!, 6);
  });

  test("a column that is empty in training is refused by name", () => {
    const data = datasetOf(parseCsv("a,b,y\n?,1,0\n2,1,1\n", "t"), { name: "t", source: "here", label: "y" });
    expect(() => columnFacts(data, Int32Array.of(0))).toThrow(/"a" has no value/);
  });
});
