/** Tasks: what Python or a button asks of a page once the benchmark has ended. */
import "@tensorflow/tfjs-backend-cpu";
import { JSDOM } from "jsdom";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { KernelClient } from "../src/kernel";
import { type Session, sessionOf, type View } from "../src/page/session";
import { pageShared } from "../src/pageShared";
import type { Job, Task, ToKernel } from "../src/protocol";
import { MockKernel, type MockOptions } from "./mockKernel";
import { convLayers } from "./models";
import { startRuntime } from "./worker/startRuntime";

const CPU: Job = { model: 0, backend: "cpu", feed: 0 };
const WANTED: Task = { kind: "divergence", job: CPU, status: "wanted", page: "", done: 0, total: 0, error: null };

beforeEach(() => {
  const { window } = new JSDOM();
  vi.stubGlobal("document", window.document);
  vi.stubGlobal("XMLSerializer", window.XMLSerializer);
  vi.stubGlobal("navigator", window.navigator);
  pageShared().files.set("runtime-hash", Promise.resolve(new Blob()));
  pageShared().files.set("factory:runtime-hash", Promise.resolve(startRuntime));
});
afterEach(() => {
  vi.unstubAllGlobals();
});

async function finished(options: Partial<MockOptions> = {}) {
  const assets = { "runtime.js": { sha256: "runtime-hash", packed: new Uint8Array(0) } };
  const kernel = new MockKernel({ models: [convLayers(8, 4, 2)], jobs: [CPU], runs: 5, warmup: 1, assets, ...options });
  const session = sessionOf(new KernelClient(kernel));
  const view = show(session);
  await view.until(({ activity, snapshot }) => activity === "idle" && snapshot.status === "finished");
  return { kernel, session, ...view };
}

function show(session: Session) {
  const views: View[] = [];
  const abort = new AbortController();
  session.attach((view) => views.push(view), abort.signal);
  const until = (test: (view: View) => boolean) =>
    vi.waitFor(() => expect(views.slice(-1).some(test)).toBe(true), 10_000);
  return { views, until, last: () => views.at(-1), close: () => abort.abort() };
}

const kinds = (kernel: MockKernel) => kernel.received.map(({ kind }) => kind);
const claims = (kernel: MockKernel) => kernel.received.filter((message) => message.kind === "claim");
type TaskReport = Extract<ToKernel, { kind: "report_task" }>;
const taskReports = (kernel: MockKernel): TaskReport[] =>
  kernel.received.filter((message) => message.kind === "report_task");

/** The kernel's state as it is once it knows that the benchmark ended. */
function publish(kernel: MockKernel, view: View | undefined, task: Task | null): void {
  if (view) kernel.publish({ ...view.snapshot, task });
}

it("what Python wants is claimed and run, and the benchmark's numbers stay", async () => {
  const { kernel, last, until, close } = await finished();
  const before = last()?.snapshot;
  const set = vi.fn();
  Object.assign(kernel, { set });
  publish(kernel, last(), WANTED);
  await vi.waitFor(() => expect(taskReports(kernel).at(-1)?.status).toBe("failed"), 10_000);
  const task = { kind: WANTED.kind, job: CPU };
  expect(claims(kernel).at(-1)).toMatchObject({ again: false, task });
  expect(taskReports(kernel).at(-1)).toMatchObject({ task, profile: null });
  await until(({ activity }) => activity === "idle");
  expect(last()?.snapshot).toEqual({ ...before, task: last()?.snapshot.task });
  expect(last()?.snapshot.task?.status).toBe("failed");
  expect(kinds(kernel).filter((kind) => kind === "report").length).toBe(kernel.reports.length);
  // marimo would run the cell again that asked, which would ask again.
  expect(set).not.toHaveBeenCalled();
  close();
});

it("a task that another page has got is left to it", async () => {
  const { kernel, last, until, close } = await finished();
  kernel.grants = false;
  publish(kernel, last(), WANTED);
  await vi.waitFor(() => expect(claims(kernel)).toHaveLength(2));
  await until(({ activity }) => activity === "idle");
  publish(kernel, last(), { ...WANTED, status: "running", page: "another" });
  expect(last()).toMatchObject({ elsewhere: true, activity: "idle" });
  expect(claims(kernel)).toHaveLength(2);
  close();
});

it("a page that is busy takes it when it is free, and who shows no view does not", async () => {
  const { kernel, session, last, until, close } = await finished({ runs: 400 }); // long enough to be seen running
  session.start(true);
  await until(({ activity }) => activity === "running");
  publish(kernel, last(), WANTED);
  expect(claims(kernel)).toHaveLength(2);
  await vi.waitFor(() => expect(claims(kernel)).toHaveLength(3), 20_000);
  expect(claims(kernel)[2]).toMatchObject({ task: { kind: WANTED.kind } });
  await vi.waitFor(() => expect(taskReports(kernel).at(-1)?.status).toBe("failed"), 10_000);
  close();
  publish(kernel, last(), { ...WANTED, kind: "profile" });
  expect(claims(kernel)).toHaveLength(3);
}, 40_000);

it("one that is stopped says so, and the kernel that grants it late is told", async () => {
  const { kernel, session, last, until, close } = await finished();
  let free: () => void = () => undefined;
  kernel.beforeAnswer = ({ kind }) => (kind === "claim" ? new Promise<void>((resolve) => (free = resolve)) : undefined);
  session.startTask(WANTED);
  await vi.waitFor(() => expect(claims(kernel)).toHaveLength(2));
  session.stop();
  await until(({ activity }) => activity === "idle");
  free();
  const message = "The search for the layer was stopped.";
  await vi.waitFor(() => expect(taskReports(kernel)).toMatchObject([{ status: "failed", error: { message } }]));
  expect(last()?.snapshot.task).toBeNull();
  close();
});

it("the search for the layer sends group after group of the feed that is asked for, and shows what is found", async () => {
  const layers = [["conv_0", "conv_1"], ["mean"]];
  const { kernel, session, last, until, close } = await finished({ layers });
  const set = vi.fn();
  Object.assign(kernel, { set });
  session.startTask(WANTED);
  await until(({ snapshot, activity }) => activity === "idle" && snapshot.task?.status === "done");
  const sent = kernel.received.filter((message) => message.kind === "put_output").slice(-3);
  expect(sent.map(({ feed, tensor }) => [feed, tensor.name, tensor.shape])).toEqual([
    [1, "conv_0", [1, 8, 8, 4]],
    [1, "conv_1", [1, 8, 8, 4]],
    [1, "mean", [1, 4]],
  ]);
  expect(kinds(kernel).filter((kind) => kind === "compare_layers")).toHaveLength(2);
  const found = last()?.snapshot.jobs[0]?.divergence;
  expect(found?.rows.map(({ layer }) => layer)).toEqual(["1/conv_0", "1/conv_1", "1/mean"]);
  await vi.waitFor(() => expect(taskReports(kernel).at(-1)).toMatchObject({ status: "done", profile: null }));
  await vi.waitFor(() => expect(set).toHaveBeenCalledExactlyOnceWith("ended", 1));
  close();
});

it("a tensor inside is sent beside the outputs where the kernel asks for it", async () => {
  const { kernel, close } = await finished({ inside: "conv_0" });
  const sent = kernel.received.filter((message) => message.kind === "put_output");
  expect(sent.map(({ feed, tensor }) => `${feed} ${tensor.name}`)).toEqual([
    "0 mean",
    "1 mean",
    "0 conv_0",
    "1 conv_0",
  ]);
  close();
});

it("a profile goes into the state of its job and to the kernel", { timeout: 20_000 }, async () => {
  const { kernel, session, last, until, close } = await finished();
  session.startTask({ kind: "profile", job: CPU });
  await vi.waitFor(() => expect(taskReports(kernel).at(-1)?.status).toBe("done"), 15_000);
  await until(({ activity }) => activity === "idle");
  const profile = last()?.snapshot.jobs[0]?.profile;
  expect(profile?.rows.map(({ kernel: name }) => name)).toContain("FusedConv2D");
  expect(taskReports(kernel).at(-1)?.profile).toEqual(profile);
  expect(kernel.reports.at(-1)?.jobs[0]?.progress).not.toHaveProperty("profile");
  close();
});
