import { describe, expect, it } from "vitest";
import {
  compareRounds,
  isStable,
  medianInterval,
  medianRank,
  nextBatch,
  quantile,
  summarize,
  WARMUP_MAX,
  WARMUP_MAX_MS,
  warmupDone,
} from "../src/stats";

describe("quantile", () => {
  it("interpolates as numpy does", () => {
    expect(quantile([4, 1, 3, 2], 0.5)).toBe(2.5);
    expect(quantile([10, 20, 30], 0.9)).toBeCloseTo(28, 12);
    expect(quantile([7], 0.9)).toBe(7);
  });

  it("leaves its input in order", () => {
    const values = [3, 1, 2];
    quantile(values, 0.5);
    expect(values).toEqual([3, 1, 2]);
  });
});

describe("summarize", () => {
  it("gives no p90 for 29 samples and one for 30", () => {
    const runs = Array.from({ length: 30 }, (_, i) => i + 1);
    expect(summarize(runs.slice(1)).p90).toBeNull();
    expect(summarize(runs).p90).toBeCloseTo(27.1, 12);
  });

  it("knows where the median lies from six samples on", () => {
    expect(medianInterval([5, 1, 4, 2, 3])).toBeNull();
    expect(medianInterval([6, 1, 5, 2, 4, 3])).toEqual([1, 6]);
    expect(medianInterval(Array.from({ length: 100 }, (_, i) => i + 1))).toEqual([40, 61]);
    expect(medianRank(100_000)).toBe(49_690);
  });

  it("compares round by round, so that drift falls on both", () => {
    const drift = Array.from({ length: 40 }, (_, i) => 10 + i + (i % 3) / 100);
    const twice = drift.map((ms, i) => ms * (i % 2 ? 1.99 : 2.01));
    const { ratio, low, high } = compareRounds(twice, drift) ?? { ratio: 0, low: 0, high: 0 };
    expect(ratio).toBeCloseTo(2, 2);
    expect([low, high]).toEqual([expect.closeTo(1.99, 6), expect.closeTo(2.01, 6)]);
    expect(compareRounds([1, 2, 3], [1, 2, 3])).toBeNull();
    expect(compareRounds([0, ...drift], [1, ...drift])?.ratio).toBe(1);
  });

  it("gives nothing for nothing", () => {
    expect(summarize([])).toEqual({ count: 0, median: null, interval: null, p90: null, min: null });
  });
});

describe("warm-up", () => {
  it("is stable when the last three agree within 10 %", () => {
    expect(isStable([100, 20, 20.5])).toBe(false);
    expect(isStable([100, 20, 20.5, 19.8])).toBe(true);
    expect(isStable([100, 20, 22.5, 19.8])).toBe(false);
  });

  it("is stable when noisy samples no longer drift", () => {
    const noise = [20, 26, 18, 25, 19];
    expect(isStable([...noise, ...noise])).toBe(true);
    expect(isStable([...noise.map((ms) => ms * 2), ...noise])).toBe(false);
  });

  it("never ends before three samples, whatever the time", () => {
    expect(warmupDone([1, 1], WARMUP_MAX_MS * 2)).toBe(false);
  });

  it("ends at the cap of samples or of time when runs never settle", () => {
    const wild = Array.from({ length: WARMUP_MAX }, (_, i) => 2 ** i);
    expect(warmupDone(wild, 0)).toBe(true);
    expect(warmupDone(wild.slice(0, -1), 0)).toBe(false);
    expect(warmupDone(wild.slice(0, 4), WARMUP_MAX_MS)).toBe(true);
  });
});

describe("nextBatch", () => {
  it("keeps one call where the clock is fine enough", () => {
    expect(nextBatch(1, 5, 0.1)).toBe(1);
  });

  it("makes a sample at least 50 clock steps long", () => {
    const batch = nextBatch(1, 1, 0.1);
    expect(batch).toBeGreaterThanOrEqual(5);
    expect(batch).toBeLessThanOrEqual(7);
  });

  it("grows tenfold at most, also where the clock saw nothing", () => {
    expect(nextBatch(1, 0, 0.1)).toBe(10);
    expect(nextBatch(10, 0.1, 0.1)).toBe(100);
  });
});
