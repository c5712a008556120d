import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { KernelClient } from "../src/kernel";
import { Reporter, reportOf } from "../src/page/reporter";
import { begun, RunState } from "../src/page/runState";
import type { Job } from "../src/protocol";
import { MockKernel } from "./mockKernel";
import { twoByTwoGraph } from "./models";

const JOB: Job = { model: 0, backend: "cpu", feed: 0 };
const OTHER: Job = { model: 0, backend: "wasm", feed: 0 };
const noError = (error: unknown) => expect.fail(String(error));

let kernel: MockKernel;
let client: KernelClient;
let state: RunState;

beforeEach(() => {
  vi.useFakeTimers();
  kernel = new MockKernel({ models: [twoByTwoGraph()], jobs: [JOB, OTHER] });
  client = new KernelClient(kernel);
  state = new RunState(begun(kernel.snapshot, "page", [JOB, OTHER]), () => undefined);
});
afterEach(() => {
  vi.useRealTimers();
});

const run = (...latencies: number[]) => state.addLatencies(JOB, "run", latencies, 1, 200);
const told = () => kernel.reports.flatMap(({ jobs }) => jobs.map((job) => job.run));

it("tells of the jobs that changed, and of their latencies the new ones", async () => {
  const reporter = new Reporter(client, state, reportOf, noError);
  state.addLatencies(JOB, "warmup", [9], 1, 0);
  run(1, 2);
  await vi.advanceTimersByTimeAsync(250);
  run(3);
  state.end("finished");
  await reporter.finish();
  const [first, second] = kernel.reports;
  expect(first).toMatchObject({ page: "page", status: "running", error: null });
  expect(first?.jobs).toMatchObject([
    {
      progress: { job: JOB, stage: "run", done: 2 },
      warmup: { first_index: 0, latency_ms: [9] },
      run: { first_index: 0, latency_ms: [1, 2] },
    },
  ]);
  expect(Object.keys(first?.jobs[0]?.progress ?? {})).not.toContain("parity");
  expect(second).toMatchObject({ status: "finished" });
  expect(second?.jobs.map(({ progress, warmup, run }) => [progress.job, warmup, run])).toEqual([
    [JOB, { first_index: 1, latency_ms: [] }, { first_index: 2, latency_ms: [3] }],
    [OTHER, { first_index: 0, latency_ms: [] }, { first_index: 0, latency_ms: [] }],
  ]);
});

it("sends at most four messages a second and one at a time", async () => {
  const reporter = new Reporter(client, state, reportOf, noError);
  for (let i = 0; i < 100; i++) {
    run(i);
    await vi.advanceTimersByTimeAsync(10);
  }
  expect(kernel.reports.length).toBeLessThanOrEqual(4);
  kernel.beforeAnswer = () => new Promise((resolve) => setTimeout(resolve, 5000));
  const before = kernel.reports.length;
  for (let i = 100; i < 200; i++) {
    run(i);
    await vi.advanceTimersByTimeAsync(20);
  }
  expect(kernel.reports.length).toBe(before + 1);
  const finished = reporter.finish();
  await vi.advanceTimersByTimeAsync(20_000);
  await finished;
  expect(told().flatMap(({ latency_ms }) => latency_ms)).toEqual(Array.from({ length: 200 }, (_, i) => i));
});

it("sends a heartbeat every two seconds when nothing happens", async () => {
  const reporter = new Reporter(client, state, reportOf, noError);
  await vi.advanceTimersByTimeAsync(6100);
  expect(kernel.reports.map(({ jobs }) => jobs)).toEqual([[], [], []]);
  await reporter.finish();
  await vi.advanceTimersByTimeAsync(6100);
  expect(kernel.reports).toHaveLength(3);
});

it("tells the first error once and then is silent", async () => {
  const errors: unknown[] = [];
  const reporter = new Reporter(client, state, reportOf, (error) => errors.push(error));
  client.close(new Error("gone"));
  run(1);
  await vi.advanceTimersByTimeAsync(5000);
  run(2);
  await reporter.finish();
  expect(errors).toHaveLength(1);
});
