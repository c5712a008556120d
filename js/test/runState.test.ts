import { describe, expect, it } from "vitest";
import { begun, ended, newJobState, RunState } from "../src/page/runState";
import type { Job, Snapshot } from "../src/protocol";

const CPU: Job = { model: 0, backend: "cpu", feed: 0 };
const WASM: Job = { model: 0, backend: "wasm", feed: 0 };
const PENDING: Snapshot = {
  status: "pending",
  page: "",
  models: [{ label: "m", format: "graph-model", nbytes: 1 }],
  environment: null,
  jobs: [newJobState(CPU), newJobState(WASM)],
  error: null,
  task: null,
  warnings: [],
};
const ERROR = { name: "E", message: "m", stack: "" };

function open(): RunState {
  return new RunState(begun(PENDING, "page", [CPU, WASM]), () => undefined);
}

describe("RunState", () => {
  it("keeps first run, warm-up and runs apart, and jobs apart", () => {
    const state = open();
    state.setFirstRun(CPU, 90);
    state.addLatencies(CPU, "warmup", [9, 8], 2, 0);
    state.addLatencies(CPU, "run", [5], 3, 30);
    state.addLatencies(CPU, "run", [6, 7], 3, 30);
    const [cpu, wasm] = state.snapshot.jobs;
    expect(cpu).toMatchObject({ first_ms: 90, warmup_ms: [9, 8], run_ms: [5, 6, 7], batch: 3 });
    expect(cpu).toMatchObject({ status: "running", stage: "run", done: 3, total: 30 });
    expect(wasm).toEqual(newJobState(WASM));
  });

  it("keeps a latency to 0.1 µs", () => {
    const state = open();
    state.setFirstRun(CPU, 90.123456);
    state.addLatencies(CPU, "run", [1.23456789, 0.1 + 0.2], 1, 2);
    expect(state.snapshot.jobs[0]).toMatchObject({ first_ms: 90.1235, run_ms: [1.2346, 0.3] });
  });

  it("stops only jobs that are not over", () => {
    const state = open();
    state.setJob(CPU, { status: "done", stage: null });
    state.end("stopped");
    expect(state.snapshot.status).toBe("stopped");
    expect(state.snapshot.jobs.map((job) => job.status)).toEqual(["done", "stopped"]);
    expect(ended(PENDING, "failed", ERROR)).toMatchObject({
      status: "failed",
      error: ERROR,
      jobs: [{ status: "stopped" }, { status: "stopped" }],
    });
  });

  it("tells every change, leaves what it gave before, and shares what did not change", () => {
    const seen: Snapshot[] = [];
    const first = begun(PENDING, "page", [CPU, WASM]);
    const copy = structuredClone(first);
    const state = new RunState(first, (snapshot) => seen.push(snapshot));
    state.setProgress(CPU, "weights", 1, 2);
    state.addLatencies(CPU, "run", [1], 1, 2);
    expect(seen).toHaveLength(2);
    expect(seen.at(-1)).toBe(state.snapshot);
    expect(first).toEqual(copy);
    expect(state.snapshot.jobs[1]).toBe(first.jobs[1]);
  });
});

it("a new run forgets the results of the last", () => {
  const old = open();
  old.addLatencies(CPU, "run", [1], 1, 1);
  old.end("finished");
  const fresh = begun(old.snapshot, "other", [CPU]);
  expect(fresh).toMatchObject({ status: "running", page: "other", jobs: [newJobState(CPU)], models: PENDING.models });
});
