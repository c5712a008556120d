import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { KernelClient } from "../src/kernel";
import { Reporter } from "../src/page/reporter";
import type { BenchEvent, Job } from "../src/protocol";
import { MockKernel } from "./mockKernel";
import { twoByTwoGraph } from "./models";

const JOB: Job = { model: 0, backend: "cpu" };
const noError = (error: unknown) => expect.fail(String(error));

let kernel: MockKernel;
let client: KernelClient;

beforeEach(() => {
  vi.useFakeTimers();
  kernel = new MockKernel({ models: [twoByTwoGraph()], jobs: [JOB] });
  client = new KernelClient(kernel);
});
afterEach(() => {
  vi.useRealTimers();
});

function reports(): BenchEvent[][] {
  return kernel.received.flatMap((message) => (message.kind === "report" ? [message.events] : []));
}

function run(first_index: number, ...latency_ms: number[]): BenchEvent {
  return { kind: "samples", job: JOB, phase: "run", first_index, latency_ms, batch: 1 };
}

it("joins samples that follow each other and keeps only the latest progress", async () => {
  const reporter = new Reporter(client, "page", noError);
  reporter.push({ kind: "progress", job: JOB, stage: "run", done: 0, total: 9 });
  reporter.push({ kind: "progress", job: JOB, stage: "run", done: 1, total: 9 });
  reporter.push(run(0, 1));
  reporter.push(run(1, 2, 3));
  await reporter.finish();
  expect(reports()).toEqual([[{ kind: "progress", job: JOB, stage: "run", done: 1, total: 9 }, run(0, 1, 2, 3)]]);
});

it("sends at most four messages a second and one at a time", async () => {
  const reporter = new Reporter(client, "page", noError);
  for (let i = 0; i < 100; i++) {
    reporter.push(run(i, i));
    await vi.advanceTimersByTimeAsync(10);
  }
  expect(reports().length).toBeLessThanOrEqual(4);
  kernel.beforeAnswer = () => new Promise((resolve) => setTimeout(resolve, 5000));
  const before = reports().length;
  for (let i = 100; i < 200; i++) {
    reporter.push(run(i, i));
    await vi.advanceTimersByTimeAsync(20);
  }
  expect(reports().length).toBe(before + 1);
  const finished = reporter.finish();
  await vi.advanceTimersByTimeAsync(20_000);
  await finished;
  const all = reports().flatMap((events) =>
    events.flatMap((event) => (event.kind === "samples" ? event.latency_ms : [])),
  );
  expect(all).toEqual(Array.from({ length: 200 }, (_, i) => i));
});

it("sends a heartbeat every two seconds when nothing happens", async () => {
  const reporter = new Reporter(client, "page", noError);
  await vi.advanceTimersByTimeAsync(6100);
  expect(reports()).toEqual([[], [], []]);
  await reporter.finish();
  await vi.advanceTimersByTimeAsync(6100);
  expect(reports()).toHaveLength(3);
});

it("tells the first error once and then is silent", async () => {
  const errors: unknown[] = [];
  const reporter = new Reporter(client, "page", (error) => errors.push(error));
  client.close(new Error("gone"));
  reporter.push(run(0, 1));
  await vi.advanceTimersByTimeAsync(5000);
  await reporter.finish();
  expect(errors).toHaveLength(1);
});
