/** A whole benchmark: mock kernel, real session, real runtime on TF.js (cpu). Node has no Worker, so this is also the
 *  main-thread fallback. */
import "@tensorflow/tfjs-backend-cpu";
import { JSDOM } from "jsdom";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { KernelClient, KernelGoneError } from "../src/kernel";
import { type Session, sessionOf, type View } from "../src/page/session";
import { pageShared } from "../src/pageShared";
import type { Job } from "../src/protocol";
import { MockKernel, type MockOptions } from "./mockKernel";
import { convLayers, twoByTwoGraph } from "./models";
import { startRuntime } from "./worker/startRuntime";

const CPU: Job = { model: 0, backend: "cpu", feed: 0 };
const WEBGL: Job = { model: 0, backend: "webgl", feed: 0 };

beforeEach(() => {
  const { window } = new JSDOM();
  vi.stubGlobal("document", window.document);
  vi.stubGlobal("XMLSerializer", window.XMLSerializer);
  vi.stubGlobal("navigator", window.navigator);
  // Node cannot import a Blob URL: the page has the runtime already.
  pageShared().files.set("runtime-hash", Promise.resolve(new Blob()));
  pageShared().files.set("factory:runtime-hash", Promise.resolve(startRuntime));
});
afterEach(() => {
  vi.unstubAllGlobals();
});

function open(options: Partial<MockOptions> = {}) {
  const assets = { "runtime.js": { sha256: "runtime-hash", packed: new Uint8Array(0) } };
  const kernel = new MockKernel({ models: [convLayers(8, 4, 2)], jobs: [CPU], runs: 5, assets, ...options });
  const client = new KernelClient(kernel);
  return { kernel, client, session: sessionOf(client) };
}

function show(session: Session) {
  const views: View[] = [];
  const abort = new AbortController();
  session.attach((view) => views.push(view), abort.signal);
  const last = () => views.at(-1);
  const until = (test: (view: View) => boolean) =>
    vi.waitFor(() => expect(views.slice(-1).some(test)).toBe(true), 10_000);
  const idle = () => until((view) => view.activity === "idle" && view.snapshot.status !== "pending");
  return { views, last, until, idle, close: () => abort.abort() };
}

/** The latencies that the kernel was told, if no report left a gap or told one twice. */
function told(kernel: MockKernel, phase: "warmup" | "run", job = 0): number[] {
  const all: number[] = [];
  for (const { jobs } of kernel.reports) {
    for (const report of jobs.filter(({ progress }) => progress.job.model === job)) {
      expect(report[phase].first_index).toBe(all.length);
      all.push(...report[phase].latency_ms);
    }
  }
  return all;
}

const claims = (kernel: MockKernel) => kernel.received.filter(({ kind }) => kind === "claim").length;

describe("a pending benchmark", () => {
  it("runs when shown; the kernel is told everything and gets a picture", async () => {
    const { kernel, session } = open({
      models: [convLayers(8, 4, 2), twoByTwoGraph()],
      jobs: [CPU, { ...CPU, model: 1 }],
    });
    const view = show(session);
    await view.idle();
    await vi.waitFor(() => expect(kernel.pictures).toHaveLength(1));
    const snapshot = view.last()?.snapshot;
    for (const [index, job] of (snapshot?.jobs ?? []).entries()) {
      expect(job).toMatchObject({ status: "done", actual: "cpu", parity: { status: "no_reference" } });
      expect(job.run_ms).toHaveLength(5);
      expect(job.warmup_ms.length).toBeGreaterThanOrEqual(3);
      expect(job.first_ms).toBeGreaterThan(0);
      expect(told(kernel, "run", index)).toEqual(job.run_ms);
      expect(told(kernel, "warmup", index)).toEqual(job.warmup_ms);
    }
    const worker_problem = "Worker is not defined";
    expect(snapshot?.environment).toMatchObject({ worker: false, worker_problem, tfjs_version: "4.22.0" });
    expect(kernel.reports.at(-1)).toMatchObject({ status: "finished", environment: snapshot?.environment });
    view.close();
  });

  it("goes on with the next backend when one is missing", async () => {
    const { kernel, session } = open({ jobs: [WEBGL, CPU] });
    const view = show(session);
    await view.idle();
    const [webgl, cpu] = view.last()?.snapshot.jobs ?? [];
    expect(webgl).toMatchObject({ status: "failed", error: { message: expect.stringContaining("needs WebGL") } });
    expect(cpu?.status).toBe("done");
    const pulls = kernel.received.filter(({ kind }) => kind === "get_weights");
    expect(pulls).toHaveLength(1);
    view.close();
  });

  it("is claimed by no re-rendering, once it has run", async () => {
    const { kernel, session } = open();
    const first = show(session);
    await first.idle();
    first.close();
    const second = show(session);
    expect(second.last()?.snapshot.status).toBe("finished");
    expect(claims(kernel)).toBe(1);
    session.start(true);
    await vi.waitFor(() => expect(claims(kernel)).toBe(2));
    await second.idle();
    expect(second.last()?.snapshot.status).toBe("finished");
    second.close();
  });

  it("that another page has got is mirrored", async () => {
    const { kernel, session } = open();
    kernel.beforeAnswer = (message) => {
      if (message.kind === "claim") kernel.publish({ status: "running", page: "another" });
    };
    kernel.grants = false;
    const view = show(session);
    await view.until(({ elsewhere, activity }) => elsewhere && activity === "idle");
    kernel.publish({ status: "finished" });
    expect(view.last()).toMatchObject({ elsewhere: false, snapshot: { status: "finished" } });
    expect(kernel.received.map(({ kind }) => kind)).toEqual(["claim"]);
    view.close();
  });
});

describe("views", () => {
  it("of one model share one run, which ends with the last of them", async () => {
    const { kernel, session } = open({ runs: 1e6 });
    const [first, second] = [show(session), show(session)];
    const measured = ({ snapshot }: View) => (snapshot.jobs[0]?.run_ms.length ?? 0) > 3;
    await second.until(measured);
    first.close();
    expect(session.start(true)).toBeUndefined();
    const soFar = second.last()?.snapshot.jobs[0]?.run_ms.length ?? 0;
    await second.until(({ snapshot }) => (snapshot.jobs[0]?.run_ms.length ?? 0) > soFar);
    second.close();
    await vi.waitFor(() => expect(kernel.reports.at(-1)?.status).toBe("stopped"), 5000);
    expect(claims(kernel)).toBe(1);
  });
});

describe("stopping", () => {
  it("keeps what was measured, tells the kernel, and allows another run", async () => {
    const { kernel, session } = open({ runs: 1e6 });
    const view = show(session);
    await view.until(({ snapshot }) => (snapshot.jobs[0]?.run_ms.length ?? 0) > 3);
    session.stop();
    await view.idle();
    expect(view.last()?.snapshot.status).toBe("stopped");
    await vi.waitFor(() => expect(kernel.reports.at(-1)?.status).toBe("stopped"), 5000);
    expect(kernel.reports.at(-1)?.jobs).toMatchObject([{ progress: { status: "stopped", stage: null } }]);
    expect(told(kernel, "run")).toEqual(view.last()?.snapshot.jobs[0]?.run_ms);
    session.start(true);
    await view.until((state) => state.activity === "running" && state.snapshot.jobs[0]?.run_ms.length === 0);
    const before = kernel.reports.length;
    view.close();
    await vi.waitFor(() => expect(kernel.reports.length).toBeGreaterThan(before), 5000);
    await vi.waitFor(() => expect(kernel.reports.at(-1)?.status).toBe("stopped"), 5000);
  });

  it("before a busy kernel grants the claim withdraws it", async () => {
    const { kernel, session } = open();
    let free: () => void = () => undefined;
    const busy = new Promise<void>((resolve) => {
      free = resolve;
    });
    kernel.beforeAnswer = () => busy;
    const view = show(session);
    await view.until(({ activity }) => activity === "claiming");
    await vi.waitFor(() => expect(claims(kernel)).toBe(1));
    session.stop();
    await view.until(({ activity }) => activity === "idle");
    free();
    const withdrawn = { status: "stopped", jobs: [{ progress: { job: CPU, status: "stopped" } }] };
    await vi.waitFor(() => expect(kernel.reports).toMatchObject([withdrawn]));
    view.close();
  });

  it("while another benchmark runs leaves the queue and claims nothing", async () => {
    const running = open({ runs: 1e6 });
    const waiting = open();
    const first = show(running.session);
    await first.until(({ activity }) => activity === "running");
    const second = show(waiting.session);
    expect(second.last()?.activity).toBe("queued");
    waiting.session.stop();
    await second.until(({ activity }) => activity === "idle");
    expect(waiting.kernel.received).toEqual([]);
    first.close();
    second.close();
  });
});

describe("failure", () => {
  it("of the kernel in mid-transfer ends the run with what to do", async () => {
    const { kernel, client, session } = open();
    kernel.beforeAnswer = (message) => {
      if (message.kind !== "get_weights") return;
      client.close(new Error("The kernel restarted or died. Run the cell again."));
      throw new Error("lost");
    };
    const view = show(session);
    await view.idle();
    expect(view.last()?.snapshot).toMatchObject({
      status: "failed",
      error: { message: expect.stringContaining("Run the cell again") },
    });
    view.close();
  });

  it("of the kernel after the end leaves the result finished, also when the user asks for another run", async () => {
    const { client, session } = open();
    const view = show(session);
    await view.idle();
    client.close(new KernelGoneError("The kernel restarted or died. Run the cell again."));
    expect(view.last()).toMatchObject({ gone: true, snapshot: { status: "finished" } });
    session.start(true);
    await view.until(({ activity }) => activity === "idle");
    expect(view.last()).toMatchObject({ gone: true, snapshot: { status: "finished", error: null } });
    view.close();
  });

  it("to claim is shown, and stays shown", async () => {
    const { kernel, session } = open();
    kernel.beforeAnswer = (message) => {
      const error = { name: "E", message: "no such widget", stack: "" };
      if (message.kind === "claim") kernel.emit("msg:custom", { kind: "failed", id: message.id, error });
    };
    const view = show(session);
    await view.idle();
    expect(view.last()?.snapshot).toMatchObject({ status: "failed", error: { message: "no such widget" } });
    view.close();
  });

  it("of the comparison fails the job, not the benchmark", async () => {
    const { kernel, session } = open({ jobs: [CPU] });
    kernel.beforeAnswer = (message) => {
      const error = { name: "ValueError", message: "cannot compare", stack: "" };
      if (message.kind === "verify") kernel.emit("msg:custom", { kind: "failed", id: message.id, error });
    };
    const view = show(session);
    await view.idle();
    expect(view.last()?.snapshot).toMatchObject({ status: "finished", jobs: [{ status: "failed" }] });
    view.close();
  });
});
