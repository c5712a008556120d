/**
 * Whether the machine was quiet enough for its numbers. Twin of tfjs_magic/bench/noise.py, which says why so; of one
 * model.
 */
import type { JobState, Snapshot } from "../protocol";
import { medianInterval, quantile } from "../stats";
import { threeDigits } from "./pythonText";

const SPREAD = 0.2;
const MIN_RUNS_FOR_SPREAD = 12;
const DRIFT = 0.05;
const CLOCK_STEP = 0.05;
const HIDDEN_MS = 100;

/** A sentence for each sign that the numbers are worth less than they look; none on a quiet machine. */
export function noiseLines(snapshot: Snapshot): string[] {
  const { environment, jobs } = snapshot;
  const hidden = environment?.hidden_ms ?? 0;
  const seconds = threeDigits(hidden / 1000);
  const away = `The tab was in the background for ${seconds} s of the benchmark, where browsers run slower.`;
  const lines = jobs.flatMap((job) => {
    const { actual, job: asked, series } = job;
    const name = [actual ?? asked.backend ?? "auto", series.label].filter(Boolean).join(", ");
    return ofJob(job, environment?.clock_resolution_ms ?? 0).map((line) => `${name}: ${line}`);
  });
  return hidden > HIDDEN_MS ? [away, ...lines] : lines;
}

function ofJob({ run_ms: runs, batch }: JobState, clockStepMs: number): string[] {
  const median = runs.length > 0 ? quantile(runs, 0.5) : 0;
  if (median <= 0) return [];
  const lines: string[] = [];
  const spread = runs.length < MIN_RUNS_FOR_SPREAD ? 0 : (quantile(runs, 0.75) - quantile(runs, 0.25)) / median;
  if (spread > SPREAD) {
    const share = (100 * spread).toFixed(0);
    lines.push(`the middle half of the runs spreads over ${share} % of the median; other programs may run.`);
  }
  const [low, high] = drift(runs);
  const times = `the runs of the second half took ${threeDigits(low)} to ${threeDigits(high)} times as long as those of the first;`;
  if (low > 1 + DRIFT) lines.push(`${times} a processor that gets warm slows down.`);
  if (high < 1 - DRIFT) lines.push(`${times} the warm-up was too short, or other programs have ended.`);
  const step = clockStepMs / (median * batch);
  if (step > CLOCK_STEP) {
    const share = (100 * step).toFixed(0);
    lines.push(`one step of the browser's clock is ${share} % of a run; smaller differences do not show.`);
  }
  return lines;
}

/** Where the median of the ratios second half to first half lies, run by run; [1, 1] if that is unknown. */
function drift(runs: readonly number[]): [low: number, high: number] {
  const half = Math.floor(runs.length / 2);
  const ratios = runs.slice(0, half).flatMap((before, i) => {
    const after = runs[runs.length - half + i] ?? 0;
    return before > 0 ? [after / before] : [];
  });
  return medianInterval(ratios) ?? [1, 1];
}
