/** Several jobs, each in a worker of its own: they take turns, and one that fails leaves the others racing. */
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { KernelClient } from "../src/kernel";
import { BenchmarkRun, type Claim } from "../src/page/benchmarkRun";
import { begun, RunState } from "../src/page/runState";
import { pageShared } from "../src/pageShared";
import type { FromWorker, Job, ToWorker } from "../src/protocol";
import { randomNumbers, shuffled } from "../src/random";
import { MockKernel } from "./mockKernel";
import { convLayers, twoByTwoGraph } from "./models";

const MEMORY = { model_nbytes: 1, peak_nbytes: 2, leaked_tensors: 0, wasm_nbytes: null };

/** Answers every command; the n-th worker's n-th timed run takes `n` ms more than the one before. */
class ObedientWorker extends EventTarget {
  static all: ObedientWorker[] = [];
  /** Which worker ran, sample by sample. */
  static order: number[] = [];
  static failing: number | null = null;
  terminated = false;
  weights: number[] = [];
  #runs = 0;

  constructor() {
    super();
    ObedientWorker.all.push(this);
    setTimeout(() => this.#say({ kind: "hello", id: 0, tfjsVersion: "fake", clockResolutionMs: 0.1 }));
  }

  postMessage(message: ToWorker): void {
    setTimeout(() => this.#answer(message));
  }

  terminate(): void {
    this.terminated = true;
  }

  #answer(command: ToWorker): void {
    const { id } = command;
    if (command.kind === "setModel") this.weights.push(command.weights.byteLength);
    if (command.kind === "setBackend")
      this.#say({ kind: "backend", id, actual: "cpu", device: "", software: false, backendMs: 1 });
    else if (command.kind === "load") this.#say({ kind: "loaded", id, loadMs: 1 });
    else if (command.kind === "infer")
      this.#say({ kind: "inferred", id, latencyMs: 1, outputs: { tensors: [], buffers: [] } });
    else if (command.kind === "memory") this.#say({ kind: "memory", id, memory: MEMORY });
    else if (command.kind === "measure" && command.phase === "run") this.#measure(id, command.samples);
    else this.#say({ kind: "done", id });
  }

  #measure(id: number, samples: number | "auto"): void {
    const index = ObedientWorker.all.indexOf(this);
    ObedientWorker.order.push(index);
    if (ObedientWorker.failing === index && this.#runs === 2) {
      this.#say({ kind: "failed", id, error: { name: "Error", message: "lost", stack: "" } });
      return;
    }
    const latencyMs = Array.from({ length: Number(samples) }, () => (index + 1) * ++this.#runs);
    this.#say({ kind: "samples", id, latencyMs, batch: 1 });
    this.#say({ kind: "done", id });
  }

  #say(data: FromWorker): void {
    if (!this.terminated) this.dispatchEvent(new MessageEvent("message", { data }));
  }
}

const JOBS: Job[] = [
  { model: 0, backend: "wasm", feed: 0 },
  { model: 0, backend: "cpu", feed: 0 },
  { model: 1, backend: "wasm", feed: 0 },
];

beforeEach(() => {
  Object.assign(ObedientWorker, { all: [], order: [], failing: null });
  vi.stubGlobal("Worker", ObedientWorker);
  vi.stubGlobal("document", Object.assign(new EventTarget(), { hidden: false }));
  vi.stubGlobal("navigator", { userAgent: "fake", platform: "fake", hardwareConcurrency: 2 });
  pageShared().files.set("turns-test", Promise.resolve(new Blob()));
});
afterEach(() => {
  vi.unstubAllGlobals();
});

async function run(jobs: Job[], runs = 12, minTimeMs = 0) {
  const assets = { "runtime.js": { sha256: "turns-test", packed: new Uint8Array(0) } };
  const models = [convLayers(8, 4, 2), twoByTwoGraph()];
  const kernel = new MockKernel({ models, jobs, runs, assets, compare: null });
  const claim: Claim = { kind: "claim", id: 1, granted: true, jobs, runs, min_time_ms: minTimeMs, warmup: 2, seed: 7 };
  const state = new RunState(begun(kernel.snapshot, "p", jobs), () => undefined);
  await new BenchmarkRun(new KernelClient(kernel), claim, state, new AbortController().signal).run();
  return { kernel, ...state.snapshot };
}

describe("several jobs", () => {
  it("take turns in random order, each once a round", async () => {
    const { jobs } = await run(JOBS);
    const rounds = Array.from({ length: 12 }, (_, round) => ObedientWorker.order.slice(3 * round, 3 * round + 3));
    for (const round of rounds) expect([...round].sort()).toEqual([0, 1, 2]);
    expect(new Set(rounds.map(String)).size).toBeGreaterThan(3);
    expect(jobs.map(({ status }) => status)).toEqual(["done", "done", "done"]);
    for (const [index, job] of jobs.entries())
      expect(job.run_ms).toEqual(Array.from({ length: 12 }, (_, i) => (index + 1) * (i + 1)));
    expect(ObedientWorker.all.every(({ terminated }) => terminated)).toBe(true);
  });

  it("go on until the fastest has the time too", async () => {
    const { jobs } = await run(JOBS, 3, 100);
    // The first worker's n-th run takes n ms.
    expect(jobs.map(({ run_ms, done, total }) => [run_ms.length, done, total])).toEqual(Array(3).fill([14, 14, 14]));
  });

  it("get each a copy of a model that is pulled once", async () => {
    const { kernel } = await run(JOBS, 1);
    expect(kernel.received.filter(({ kind }) => kind === "get_model")).toHaveLength(2);
    const [first, second] = ObedientWorker.all.map(({ weights }) => weights);
    expect(second).toEqual(first);
  });

  it("go on when one fails", async () => {
    ObedientWorker.failing = 1;
    const { jobs } = await run(JOBS);
    expect(jobs.map(({ status, run_ms }) => [status, run_ms.length])).toEqual([
      ["done", 12],
      ["failed", 0],
      ["done", 12],
    ]);
    expect(jobs[1]?.error?.message).toBe("lost");
  });
});

it("tells how long the page was hidden", async () => {
  const page = document as unknown as { hidden: boolean } & EventTarget;
  const hide = (hidden: boolean) => {
    page.hidden = hidden;
    page.dispatchEvent(new Event("visibilitychange"));
  };
  hide(true);
  const ended = run(JOBS.slice(0, 1));
  await new Promise((resolve) => setTimeout(resolve, 5));
  hide(false);
  const { environment } = await ended;
  expect(environment?.hidden_ms).toBeGreaterThanOrEqual(4);
});

it("a single job runs through", async () => {
  const { jobs } = await run(JOBS.slice(0, 1));
  expect(ObedientWorker.order).toEqual([0]);
  expect(jobs[0]?.run_ms).toHaveLength(12);
});

it("random order is a seed's own", () => {
  const orders = [1, 1, 2].map((seed) => shuffled([..."abcdefgh"], randomNumbers(seed)).join(""));
  expect(orders[0]).toBe(orders[1]);
  expect(orders[0]).not.toBe(orders[2]);
  expect([...(orders[0] ?? "")].sort().join("")).toBe("abcdefgh");
});
