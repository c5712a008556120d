import { describe, expect, it } from "vitest";
import { applyEvent, beginRun, newJobState } from "../src/page/reducer";
import type { BenchEvent, Job, Snapshot } from "../src/protocol";

const CPU: Job = { model: 0, backend: "cpu" };
const WASM: Job = { model: 0, backend: "wasm" };
const PENDING: Snapshot = {
  status: "pending",
  page: "",
  models: [{ label: "m", format: "graph-model", nbytes: 1 }],
  environment: null,
  jobs: [newJobState(CPU), newJobState(WASM)],
  error: null,
};
const ERROR = { name: "E", message: "m", stack: "" };

function stateAfter(...events: BenchEvent[]): Snapshot {
  return events.reduce(applyEvent, beginRun(PENDING, "page", [CPU, WASM]));
}

function samples(
  job: Job,
  phase: "first" | "warmup" | "run",
  first_index: number,
  ...latency_ms: number[]
): BenchEvent {
  return { kind: "samples", job, phase, first_index, latency_ms, batch: 3 };
}

describe("applyEvent", () => {
  it("keeps first run, warm-up and runs apart, and jobs apart", () => {
    const [cpu, wasm] = stateAfter(
      samples(CPU, "first", 0, 90),
      samples(CPU, "warmup", 0, 9, 8),
      samples(CPU, "run", 0, 5),
    ).jobs;
    expect(cpu).toMatchObject({ first_ms: 90, warmup_ms: [9, 8], run_ms: [5], batch: 3 });
    expect(wasm).toEqual(newJobState(WASM));
  });

  it("places samples by index, so that a repeated report changes nothing", () => {
    const once = stateAfter(samples(CPU, "run", 0, 1, 2), samples(CPU, "run", 2, 3));
    expect(once.jobs[0]?.run_ms).toEqual([1, 2, 3]);
    expect(applyEvent(once, samples(CPU, "run", 0, 1, 2))).toEqual(once);
  });

  it("goes through the states of a job", () => {
    const ready = {
      kind: "ready",
      job: CPU,
      actual: "cpu",
      device: "d",
      software: true,
      backend_ms: 1,
      load_ms: 2,
    } as const;
    const running = stateAfter({ kind: "progress", job: CPU, stage: "run", done: 1, total: 3 }, ready);
    expect(running.jobs[0]).toMatchObject({
      status: "running",
      stage: "run",
      done: 1,
      total: 3,
      actual: "cpu",
      software: true,
    });
    expect(applyEvent(running, { kind: "job_done", job: CPU }).jobs[0]).toMatchObject({ status: "done", stage: null });
    const failed = applyEvent(running, { kind: "job_failed", job: CPU, error: ERROR });
    expect(failed.jobs[0]).toMatchObject({ status: "failed", error: ERROR });
    expect(failed.status).toBe("running");
  });

  it("stops only jobs that are not over", () => {
    const stopped = stateAfter({ kind: "job_done", job: CPU }, { kind: "stopped" });
    expect(stopped.status).toBe("stopped");
    expect(stopped.jobs.map((job) => job.status)).toEqual(["done", "stopped"]);
    const failed = stateAfter({ kind: "run_failed", error: ERROR });
    expect(failed).toMatchObject({ status: "failed", error: ERROR });
    expect(failed.jobs.map((job) => job.status)).toEqual(["stopped", "stopped"]);
  });

  it("does not change the state it was given", () => {
    const before = stateAfter(samples(CPU, "run", 0, 1));
    const copy = structuredClone(before);
    applyEvent(before, samples(CPU, "run", 1, 2));
    expect(before).toEqual(copy);
  });
});

it("a new run forgets the results of the last", () => {
  const old = stateAfter(samples(CPU, "run", 0, 1), { kind: "finished" });
  const fresh = beginRun(old, "other", [CPU]);
  expect(fresh).toMatchObject({ status: "running", page: "other", jobs: [newJobState(CPU)], models: old.models });
});
