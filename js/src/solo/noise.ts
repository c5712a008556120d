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

/** A sentence about jobs, and the numbers that go into it. */
type Sign = { text: string; names: string[]; numbers: number[] };

const SPREADS = "the middle half of the runs spreads over {} % of the median; other programs may run.";
const SLOWS =
  "the runs of the second half took {} times as long as those of the first; a processor that gets warm slows down.";
const SETTLES =
  "the runs of the second half took {} times as long as those of the first; the warm-up was too short, or other programs have ended.";
const COARSE = "one step of the browser's clock is {} % of a run; smaller differences do not show.";

/** A sentence for each sign that the numbers are worth less than they look; none on a quiet machine. */
export function noiseLines({ environment, jobs }: Snapshot): string[] {
  const found = new Map<string, Sign>();
  for (const job of jobs) {
    for (const [text, numbers] of signsOf(job, environment?.clock_resolution_ms ?? 0)) {
      const sign = found.get(text) ?? { text, names: [], numbers: [] };
      found.set(text, sign);
      sign.names.push(nameOf(job));
      sign.numbers.push(...numbers);
    }
  }
  const lines = [...found.values()].map((sign) => `${named(sign.names, jobs.length)}: ${filled(sign)}`);
  const hidden = environment?.hidden_ms ?? 0;
  const seconds = threeDigits(hidden / 1000);
  const away = `The tab was in the background for ${seconds} s of the benchmark, where browsers run slower.`;
  return hidden > HIDDEN_MS ? [away, ...lines] : lines;
}

function nameOf({ actual, job, series }: JobState): string {
  return [actual ?? job.backend ?? "auto", series.label].filter(Boolean).join(", ");
}

/** Those of `several` jobs, so that the line stays a line. */
function named(names: readonly string[], several: number): string {
  if (names.length === several && several > 2) return `All ${several}`;
  return [...names.slice(0, 2), ...(names.length > 2 ? [`${names.length - 2} more`] : [])].join("; ");
}

function filled({ text, numbers }: Sign): string {
  const ends = [Math.min(...numbers), Math.max(...numbers)];
  const written = ends.map((number) => (text.includes("%") ? number.toFixed(0) : threeDigits(number)));
  return text.replace("{}", [...new Set(written)].join(" to "));
}

function* signsOf(
  { run_ms: runs, batch }: JobState,
  clockStepMs: number,
): Generator<[text: string, numbers: number[]]> {
  const median = runs.length > 0 ? quantile(runs, 0.5) : 0;
  if (median <= 0) return;
  const spread = runs.length < MIN_RUNS_FOR_SPREAD ? 0 : (quantile(runs, 0.75) - quantile(runs, 0.25)) / median;
  if (spread > SPREAD) yield [SPREADS, [100 * spread]];
  const [low, high] = drift(runs);
  if (low > 1 + DRIFT) yield [SLOWS, [low, high]];
  if (high < 1 - DRIFT) yield [SETTLES, [low, high]];
  const step = clockStepMs / (median * batch);
  if (step > CLOCK_STEP) yield [COARSE, [100 * step]];
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
