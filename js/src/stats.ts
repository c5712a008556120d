/** Pure functions on latencies in milliseconds. */
import { MIN_RUNS_FOR_P90 } from "./protocol";

export const WARMUP_MIN = 3;
export const WARMUP_MAX = 20;
export const WARMUP_MAX_MS = 5000;

/** A clock step may be at most this share of a sample. */
const CLOCK_SHARE = 0.02;
const STABLE_SHARE = 0.1;

/** Linear interpolation between order statistics (numpy's default). `values` must not be empty. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = Float64Array.from(values).sort();
  const position = (sorted.length - 1) * q;
  const low = sorted[Math.floor(position)] ?? Number.NaN;
  const high = sorted[Math.ceil(position)] ?? Number.NaN;
  return low + (high - low) * (position - Math.floor(position));
}

/** `interval`: where the median lies with a confidence of 95 %. */
export type Summary = {
  count: number;
  median: number | null;
  interval: [low: number, high: number] | null;
  p90: number | null;
  min: number | null;
};

/**
 * How many order statistics lie outside the 95 % interval of a median, on each side: the most values k such that fewer
 * than k of `count` lie below the median, or above it, in at most 5 % of all cases. 0 if there are too few.
 * Source: W. J. Conover, Practical Nonparametric Statistics, 3.2.
 */
export function medianRank(count: number): number {
  let logShare = -count * Math.LN2;
  for (let rank = 0, missed = 0; ; rank++) {
    missed += 2 * Math.exp(logShare);
    if (missed > 0.05) return rank;
    logShare += Math.log((count - rank) / (rank + 1));
  }
}

/** The 95 % interval of the median, whatever the distribution; null below six values. */
export function medianInterval(values: readonly number[]): [low: number, high: number] | null {
  const rank = medianRank(values.length);
  const sorted = Float64Array.from(values).sort();
  const [low, high] = [sorted[rank - 1], sorted[values.length - rank]];
  return low === undefined || high === undefined ? null : [low, high];
}

/** How long one takes in units of another's time, with the 95 % interval. */
export type Comparison = { ratio: number; low: number; high: number };

/** The median of the rounds' ratios; null below six rounds. The n-th value of each belongs to round n. */
export function compareRounds(times: readonly number[], baseline: readonly number[]): Comparison | null {
  const ratios = times.flatMap((ms, round) => {
    const other = baseline[round] ?? 0;
    return ms > 0 && other > 0 ? [ms / other] : [];
  });
  const interval = medianInterval(ratios);
  return interval && { ratio: quantile(ratios, 0.5), low: interval[0], high: interval[1] };
}

/** What a sample supports; null for what it does not. */
export function summarize(values: readonly number[]): Summary {
  const count = values.length;
  if (count === 0) return { count, median: null, interval: null, p90: null, min: null };
  return {
    count,
    median: quantile(values, 0.5),
    interval: medianInterval(values),
    p90: count >= MIN_RUNS_FOR_P90 ? quantile(values, 0.9) : null,
    min: Math.min(...values),
  };
}

/** Whether warm-up may end: the last three agree, or the last five agree with the five before. */
export function isStable(values: readonly number[]): boolean {
  if (values.length < WARMUP_MIN) return false;
  const lastThree = values.slice(-3);
  if (Math.max(...lastThree) - Math.min(...lastThree) <= STABLE_SHARE * quantile(lastThree, 0.5)) return true;
  if (values.length < 10) return false;
  const recent = quantile(values.slice(-5), 0.5);
  const before = quantile(values.slice(-10, -5), 0.5);
  return Math.abs(recent - before) <= STABLE_SHARE * before;
}

/** Whether an automatic warm-up ends after these latencies. */
export function warmupDone(values: readonly number[], elapsedMs: number): boolean {
  if (values.length < WARMUP_MIN) return false;
  return isStable(values) || values.length >= WARMUP_MAX || elapsedMs >= WARMUP_MAX_MS;
}

/**
 * Calls per sample for the next sample, given that `batch` calls took `elapsedMs`: enough that one step of the clock
 * is at most 2 % of the sample. Never less than before, and at most ten times more (a first look may read 0 ms).
 */
export function nextBatch(batch: number, elapsedMs: number, clockResolutionMs: number): number {
  const needed = clockResolutionMs / CLOCK_SHARE;
  if (elapsedMs >= needed) return batch;
  const factor = elapsedMs > 0 ? (1.2 * needed) / elapsedMs : 10;
  return Math.ceil(batch * Math.min(Math.max(factor, 1), 10));
}
