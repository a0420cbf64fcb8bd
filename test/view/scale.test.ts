import { describe, expect, it } from "vitest";
import { ArgumentError, NumericError } from "../../src/tensor/errors.ts";
import { formatNumber, percentile } from "../../src/view/index.ts";
import { niceDomain, tickLabels, ticksOf } from "../../src/view/scale.ts";

describe("percentile", () => {
  it("agrees with published examples", () => {
    const values = [40, 15, 50, 20, 35];
    expect(percentile(values, 40)).toBeCloseTo(29, 12);
    expect(percentile(values, 0)).toBe(15);
    expect(percentile(values, 50)).toBe(35);
    expect(percentile(values, 100)).toBe(50);
  });

  it("is the sorted element where p falls on one", () => {
    const values = Array.from({ length: 101 }, (_, i) => Math.sin(i * 12.9898) * 43758.5453);
    const sorted = [...values].sort((a, b) => a - b);
    for (const p of [0, 1, 17, 50, 99, 100]) expect(percentile(values, p)).toBeCloseTo(sorted[p]!, 9);
  });

  it("leaves its argument alone and refuses nonsense", () => {
    const values = Float32Array.of(3, 1, 2);
    percentile(values, 50);
    expect(Array.from(values)).toEqual([3, 1, 2]);
    expect(() => percentile([], 50)).toThrow(ArgumentError);
    expect(() => percentile([1], 101)).toThrow(ArgumentError);
    expect(() => percentile([1], NaN)).toThrow(ArgumentError);
    expect(() => percentile([1, NaN], 50)).toThrow(NumericError);
  });
});

describe("ticks", () => {
  it.each([
    [0, 1, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]],
    [-5, 25, ["-5", "0", "5", "10", "15", "20", "25"]],
    [0, 3e-7, ["0", "5.0e-8", "1.0e-7", "1.5e-7", "2.0e-7", "2.5e-7", "3.0e-7"]],
    [0, 4e6, ["0", "1e6", "2e6", "3e6", "4e6"]],
    [0.31, 0.39, ["0.32", "0.34", "0.36", "0.38"]],
    [0.95, 1, ["0.95", "0.96", "0.97", "0.98", "0.99", "1.00"]],
  ])("from %d to %d", (low, high, labels) => {
    expect(tickLabels(ticksOf(low, high))).toEqual(labels);
  });

  it("are few, inside and apart, for ranges of any size", () => {
    for (let k = -12; k < 12; k++) {
      for (const [a, b] of [
        [-1.7, 3.1],
        [0.2, 0.9],
        [-9, -8.1],
      ] as const) {
        const [low, high] = [a * 10 ** k, b * 10 ** k];
        const ticks = ticksOf(low, high);
        expect(ticks.length).toBeGreaterThanOrEqual(3);
        expect(ticks.length).toBeLessThanOrEqual(9);
        expect(new Set(tickLabels(ticks)).size).toBe(ticks.length);
        const [from, to] = niceDomain(low, high);
        expect(from).toBeLessThanOrEqual(low + 1e-9 * (high - low));
        expect(to).toBeGreaterThanOrEqual(high - 1e-9 * (high - low));
        expect(to - from).toBeLessThan(2.5 * (high - low));
      }
    }
  });

  it("label a lone tick in full", () => {
    expect(ticksOf(0.31, 0.39, 2).map((t) => t.toFixed(3))).toEqual(["0.350"]);
    expect(tickLabels(ticksOf(0.31, 0.39, 2))).toEqual(["0.35"]);
  });

  it("give a single value room", () => {
    for (const v of [0, 5, -1e-9, 1e9]) {
      const [low, high] = niceDomain(v, v);
      expect(low).toBeLessThan(v);
      expect(high).toBeGreaterThan(v);
    }
  });
});

describe("formatNumber", () => {
  it.each([
    [0, "0"],
    [-0.93, "-0.93"],
    [22.3545985, "22.35"],
    [12345.678, "12346"],
    [411, "411"],
    [16777216, "16777216"],
    [0.00001234567, "1.235e-5"],
    [0.00004, "4e-5"],
    [-1.5e12, "-1.5e12"],
    [1e10, "1e10"],
    [NaN, "NaN"],
    [-Infinity, "-Infinity"],
  ])("%d -> %s", (value, text) => {
    expect(formatNumber(value)).toBe(text);
  });
});
