import { expect, it } from "vitest";
import { checkBatch, checkRuns } from "../src/page/batchBounds";
import { newJobState } from "../src/page/runState";
import type { Job, JobState } from "../src/protocol";

const MEMORY = { model_nbytes: 1e6, peak_nbytes: 1.01e6, leaked_tensors: 0, wasm_nbytes: null };

function batches(sizes: number[], backend: Job["backend"], rest: Partial<JobState> = {}): JobState[] {
  return sizes.map((examples, feed) => ({
    ...newJobState({ model: 0, backend, feed }, { label: `batch ${examples}`, examples }),
    actual: backend,
    ...(feed < sizes.length - 1 ? { memory: MEMORY, warmup_ms: [2, 2, 3], ...rest } : {}),
  }));
}

function check(jobs: JobState[], actual = "cpu"): void {
  checkBatch(jobs, jobs.at(-1)?.job as Job, actual);
}

it("leaves out a batch whose tensors no page can hold, by those of a smaller one", () => {
  expect(() => check(batches([1, 4, 65536], "webgl"), "webgl")).not.toThrow();
  const large = batches([1, 65536], "webgl", { memory: { ...MEMORY, peak_nbytes: 1.5e6 } });
  expect(() => check(large, "webgl")).toThrow(
    "Left out: by what batch 1 takes, the tensors of batch 65536 would take 32769 MB, and a page has about 2147 MB. Name smaller sizes.",
  );
});

it("leaves out a batch of which one call would take minutes, where time grows with the examples", () => {
  const jobs = batches([1, 65536], "cpu");
  expect(() => check(jobs)).toThrow(
    "by the time of batch 1, one call of batch 65536 would take 131 s; 120 s are the most",
  );
  expect(() => check(jobs, "webgpu")).not.toThrow();
  expect(() => check(batches([1, 4, 65536], "cpu"))).not.toThrow(); // the nearest size tells
  expect(() => check(batches([1, 50000], "cpu", { warmup_ms: [], first_ms: 1 }))).not.toThrow();
});

it("ends a larger batch whose runs would take an hour, and no other", () => {
  const jobs = batches([1, 4096], "wasm", { warmup_ms: [5] });
  const [small, large] = jobs.map((state) => state.job) as [Job, Job];
  expect(() => checkRuns(jobs, large, 20_000, 30)).not.toThrow();
  expect(() => checkRuns(jobs, large, 20_000, 50)).toThrow(
    "Left out: by its first call and by batch 1, 50 runs of batch 4096 would take about 1000 s; 600 s are the most.",
  );
  const warm = batches([1, 4096], "wasm", { warmup_ms: [0.01] });
  expect(() => checkRuns(warm, large, 20_000, 50)).not.toThrow(); // the first call compiles
  expect(() => checkRuns(jobs, small, 20_000, 50)).not.toThrow();
  expect(() => checkRuns(batches([4096], "wasm"), large, 20_000, 50)).not.toThrow();
});
