/** The runner's bookkeeping, with a worker that does only what a test tells it. */
import "@tensorflow/tfjs-backend-cpu";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type Runner, RunnerDeadError, startRunner } from "../src/page/runner";
import { pageShared } from "../src/pageShared";
import type { FromWorker, ToWorker } from "../src/protocol";
import { startRuntime } from "./worker/startRuntime";

class FakeWorker extends EventTarget {
  static last: FakeWorker;
  static onStart: (worker: FakeWorker) => void = (worker) =>
    worker.say({ kind: "hello", id: 0, tfjsVersion: "fake", clockResolutionMs: 0.1 });
  received: ToWorker[] = [];
  terminated = false;
  constructor() {
    super();
    FakeWorker.last = this;
    setTimeout(() => FakeWorker.onStart(this));
  }
  postMessage(message: ToWorker): void {
    this.received.push(message);
  }
  terminate(): void {
    this.terminated = true;
  }
  say(data: FromWorker): void {
    this.dispatchEvent(new MessageEvent("message", { data }));
  }
}

const greet = FakeWorker.onStart;
const options = {
  runtime: new Blob(),
  runtimeKey: "runner-test",
  getFile: async (name: string) => {
    if (name === "missing.wasm") throw new Error("no such file");
    return new ArrayBuffer(3);
  },
};

beforeEach(() => {
  FakeWorker.onStart = greet;
  vi.stubGlobal("Worker", FakeWorker);
  pageShared().files.set("factory:runner-test", Promise.resolve(startRuntime));
});
afterEach(() => {
  vi.unstubAllGlobals();
});

const start = (): Promise<Runner> => startRunner(options);

describe("a working worker", () => {
  it("answers requests by id and passes samples on", async () => {
    const runner = await start();
    expect(runner.workerProblem).toBe("");
    const samples: number[] = [];
    const measured = runner.request({ kind: "measure", phase: "run", samples: 3 }, [], (message) =>
      samples.push(...message.latencyMs),
    );
    const loaded = runner.request({ kind: "load", feed: 0 });
    const [first, second] = FakeWorker.last.received.map(({ id }) => id);
    FakeWorker.last.say({ kind: "loaded", id: second ?? 0, loadMs: 7 });
    FakeWorker.last.say({ kind: "samples", id: first ?? 0, latencyMs: [1, 2, 3], batch: 1 });
    FakeWorker.last.say({ kind: "done", id: first ?? 0 });
    expect((await loaded).loadMs).toBe(7);
    await measured;
    expect(samples).toEqual([1, 2, 3]);
  });

  it("gets the files that it wants, or the reason why not", async () => {
    await start();
    FakeWorker.last.say({ kind: "want", id: 1, name: "a.wasm" });
    FakeWorker.last.say({ kind: "want", id: 2, name: "missing.wasm" });
    await vi.waitFor(() => expect(FakeWorker.last.received).toHaveLength(2));
    expect(FakeWorker.last.received).toEqual([
      { kind: "file", id: 1, bytes: new ArrayBuffer(3) },
      { kind: "noFile", id: 2, error: expect.objectContaining({ message: "no such file" }) },
    ]);
  });
});

describe("a worker that dies", () => {
  it.each([
    ["error", "The worker failed"],
    ["messageerror", "could not be read"],
  ])("by '%s' rejects what is pending and all that follows", async (type, text) => {
    const runner = await start();
    const pending = runner.request({ kind: "load", feed: 0 });
    FakeWorker.last.dispatchEvent(Object.assign(new Event(type), { message: "out of memory" }));
    await expect(pending).rejects.toThrow(text);
    await expect(runner.request({ kind: "load", feed: 0 })).rejects.toBeInstanceOf(RunnerDeadError);
    expect(runner.dead).toBe(true);
  });

  it("by terminate rejects what is pending", async () => {
    const runner = await start();
    const pending = runner.request({ kind: "load", feed: 0 });
    pending.catch(() => undefined);
    await runner.terminate();
    await expect(pending).rejects.toThrow("stopped");
    expect(FakeWorker.last.terminated).toBe(true);
  });
});

describe("the main thread takes over", () => {
  it("where the constructor throws", async () => {
    vi.stubGlobal(
      "Worker",
      class {
        constructor() {
          throw new DOMException("forbidden", "SecurityError");
        }
      },
    );
    const runner = await start();
    expect(runner.workerProblem).toBe("forbidden");
    expect((await runner.hello).tfjsVersion).toBe("4.22.0");
    expect(await runner.request({ kind: "setBackend", backend: "cpu" })).toMatchObject({ actual: "cpu" });
    await runner.terminate();
  });

  it("where the runtime's script fails in the worker, and says so", async () => {
    FakeWorker.onStart = (worker) => worker.dispatchEvent(Object.assign(new Event("error"), { message: "no memory" }));
    const runner = await start();
    expect(runner.workerProblem).toBe("The worker failed: no memory");
    await runner.terminate();
  });

  it("where the worker stays silent", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    FakeWorker.onStart = () => undefined;
    const started = start();
    await vi.advanceTimersByTimeAsync(30_000);
    vi.useRealTimers();
    const runner = await started;
    expect(runner.workerProblem).toContain("did not start within 30 s");
    await runner.terminate();
  });

  it("where the worker fails before it says hello", async () => {
    FakeWorker.onStart = (worker) => worker.dispatchEvent(new Event("error"));
    const runner = await start();
    expect(runner.workerProblem).toContain("as where a policy forbids workers");
    expect(FakeWorker.last.terminated).toBe(true);
    await runner.terminate();
  });
});
