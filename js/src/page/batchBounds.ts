/** What a larger batch would cost, by a smaller one of the same contender: a page out of memory is closed, with all results. */
import { formatBytes, formatMs } from "../format";
import type { Job, JobState } from "../protocol";
import { summarize } from "../stats";

/** Tensors of a page: half of what WebAssembly, and most arrays, can address. */
export const MAX_PEAK_NBYTES = 2 ** 31;
/** One call that is not even begun. */
export const MAX_CALL_MS = 120_000;
/** All runs of a batch. */
export const MAX_RUNS_MS = 600_000;

/** Time grows with the examples there; a GPU hides most of it. */
const SEQUENTIAL = new Set<string | null>(["cpu", "wasm"]);

export class BatchTooLargeError extends Error {
  override name = "BatchTooLargeError";
}

/** `actual`: the backend that will run it. Throws if a batch should not even be loaded. */
export function checkBatch(jobs: readonly JobState[], job: Job, actual: string): void {
  const found = smallerBatch(jobs, job);
  if (!found) return;
  const { larger, smaller, factor } = found;
  if (smaller.memory) {
    const { model_nbytes: model, peak_nbytes: peak } = smaller.memory;
    const bytes = model + (peak - model) * factor;
    if (bytes > MAX_PEAK_NBYTES) {
      throw new BatchTooLargeError(
        `Left out: by what ${smaller.series.label} takes, the tensors of ${larger.series.label} would take ${formatBytes(bytes)}, and a page has about ${formatBytes(MAX_PEAK_NBYTES)}. Name smaller sizes.`,
      );
    }
  }
  const ms = callMs(smaller) * factor;
  if (SEQUENTIAL.has(actual) && ms > MAX_CALL_MS) {
    throw new BatchTooLargeError(
      `Left out: by the time of ${smaller.series.label}, one call of ${larger.series.label} would take ${formatMs(ms)}; ${formatMs(MAX_CALL_MS)} are the most. Name smaller sizes.`,
    );
  }
}

/** Throws if the runs of a batch whose first call took `firstMs`, compilation included, would take too long. */
export function checkRuns(jobs: readonly JobState[], job: Job, firstMs: number, runs: number): void {
  const found = smallerBatch(jobs, job);
  if (!found || !SEQUENTIAL.has(found.larger.actual)) return;
  const { larger, smaller, factor } = found;
  const ms = Math.min(firstMs, callMs(smaller) * factor) * runs;
  if (ms <= MAX_RUNS_MS) return;
  throw new BatchTooLargeError(
    `Left out: by its first call and by ${smaller.series.label}, ${runs} runs of ${larger.series.label} would take about ${formatMs(ms)}; ${formatMs(MAX_RUNS_MS)} are the most. Ask for fewer runs, or name smaller sizes.`,
  );
}

/** The time of a call that needs to compile nothing, if there was one. */
function callMs(state: JobState): number {
  return summarize(state.warmup_ms).median ?? state.first_ms ?? 0;
}

/** The largest of the smaller batches that were loaded, compared and warmed up before. */
function smallerBatch(jobs: readonly JobState[], job: Job) {
  const larger = jobs.find((state) => state.job === job);
  if (!larger) return null;
  const [smaller] = jobs
    .filter((state) => state.job.model === job.model && state.job.backend === job.backend)
    .filter((state) => state.memory !== null && state.series.examples < larger.series.examples)
    .sort((one, other) => other.series.examples - one.series.examples);
  return smaller ? { larger, smaller, factor: larger.series.examples / smaller.series.examples } : null;
}
