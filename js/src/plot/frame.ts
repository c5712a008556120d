/** Which latencies the axes span, and where things stand on them. */
import { quantile } from "../stats";
import type { Series } from "./series";

export type PlotSize = { width: number; height: number };

export type Frame = {
  /** Number of warm-up marks, the first run's included: they stand left of the runs, from `left` to 0. */
  warmups: number;
  /** Distance of two of them: together they take 15 to 35 % of the runs' width. */
  step: number;
  left: number;
  /** Where the runs end. */
  right: number;
  /** 0 while nobody knows how many runs there will be. */
  runs: number;
  bottom: number;
  top: number;
  log: boolean;
};

/** Beyond this ratio of their medians, series that are drawn on one linear scale lie on its bottom. */
const LOG_RATIO = 5;
const HEADROOM = 1.15;
/** So many times the ninth decile is off the scale: it is marked as such. */
const OUTLIER_RATIO = 3;

export const median = (series: Series): number => quantile(series.runMs, 0.5);

/** null where nothing was measured yet: an axis would be invented. */
export function frameOf(series: readonly Series[]): Frame | null {
  const measured = series.filter((one) => one.runMs.length > 0);
  const inWarmup = series.flatMap((one) => one.warmupMs);
  const first = series.flatMap((one) => one.firstMs ?? []);
  // A compiling first run would flatten everything else: the runs set the scale.
  const shown = [measured.flatMap((one) => one.runMs), inWarmup, first].find((values) => values.length > 0);
  if (!shown) return null;
  const runs = Math.max(...series.map((one) => one.expectedRuns));
  const width = Math.max(10, runs);
  const warmups = Math.max(4, ...series.map((one) => one.warmupMs.length + 1));
  const step = Math.min(Math.max(warmups, 0.15 * width), 0.35 * width) / warmups;
  const medians = measured.map(median).filter((ms) => ms > 0);
  const least = shown.reduce((a, b) => (b > 0 ? Math.min(a, b) : a), Number.POSITIVE_INFINITY);
  const log = medians.length > 1 && Math.max(...medians) > LOG_RATIO * Math.min(...medians);
  const highest = measured.length > 0 ? Math.max(...measured.map(usualMax)) : Math.max(...shown);
  return {
    warmups,
    step,
    left: -(warmups + 0.5) * step,
    right: width + 0.5,
    runs,
    bottom: log ? least / HEADROOM : 0,
    top: HEADROOM * highest || 1,
    log,
  };
}

function usualMax({ runMs }: Series): number {
  const most = runMs.reduce((a, b) => Math.max(a, b), 0);
  return Math.min(most, OUTLIER_RATIO * quantile(runMs, 0.9));
}

/** At most `most` whole numbers and 1, where it is not next to one: round ones. */
export function runTicks({ runs }: Frame, most = 6): number[] {
  if (runs === 0) return [];
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((size) => runs / size <= most) ?? Math.ceil(runs / most);
  const round = Array.from({ length: Math.floor(runs / step) }, (_, i) => (i + 1) * step);
  return step <= 2 ? round : [1, ...round];
}

/** 1, 2 and 5 of each power of ten, as far as they lie on a logarithmic axis; 1 alone where these are too many. */
export function logTicks({ bottom, top }: Frame): number[] {
  const powers = Array.from(
    { length: Math.ceil(Math.log10(top / bottom)) + 1 },
    (_, i) => i + Math.floor(Math.log10(bottom)),
  );
  const steps = powers.length > 5 ? [1] : [1, 2, 5];
  const all = powers.flatMap((power) => steps.map((digit) => Number(`${digit}e${power}`)));
  return all.filter((ms) => ms >= bottom && ms <= top);
}

/** Indices of the values to draw, in their order: all of them, or the least and the greatest of each of `pairs` parts. */
export function drawnIndices(values: readonly number[], pairs: number): number[] {
  const all = values.map((_, i) => i);
  if (values.length <= 2 * pairs) return all;
  const size = Math.ceil(values.length / pairs);
  const by = (sign: 1 | -1) => (a: number, b: number) => (sign * ((values[b] ?? 0) - (values[a] ?? 0)) < 0 ? b : a);
  return Array.from({ length: Math.ceil(values.length / size) }, (_, part) => {
    const indices = all.slice(part * size, (part + 1) * size);
    return [...new Set([indices.reduce(by(1)), indices.reduce(by(-1))])].sort((a, b) => a - b);
  }).flat();
}
