// @vitest-environment jsdom
import { expect, it } from "vitest";
import { maker } from "../src/page/dom";
import { ProfilePanel } from "../src/page/profilePanel";
import { newJobState } from "../src/page/runState";
import type { View } from "../src/page/session";
import type { JobState, Profile, ProfileRow, Snapshot, Task, TaskName } from "../src/protocol";
import { job, snapshotOf } from "./plotted";

const HOSTILE = "<img src=x onerror=alert(1)>";
const JOB = { model: 0, backend: "wasm", feed: 0 } as const;

function row(node: string, ms: number): ProfileRow {
  return { node, layer: node, kernel: "Conv2D", order: 0, calls: 1, ms, error_ms: 0.0123, nbytes: 4e5 };
}

function profile(rows: ProfileRow[], rest: Partial<Profile> = {}): Profile {
  const empty = { more_rows: 0, more_ms: 0, runs: 30, profiled_ms: 5, plain_ms: 4.5, note: "How it was taken." };
  return { ...empty, rows, ...rest };
}

function draw(job: Partial<JobState>, rest: Partial<View> = {}, task: Task | null = null) {
  const asked: TaskName[] = [];
  const panel = new ProfilePanel(maker(document), { startTask: (name) => asked.push(name) });
  const jobs = [{ ...newJobState(JOB), status: "done" as const, run_ms: [4, 4.5, 5], ...job }];
  const models = [{ label: "model", format: "graph-model", nbytes: 14e6 }];
  const snapshot: Snapshot = {
    status: "finished",
    page: "p",
    models,
    environment: null,
    jobs,
    error: null,
    task,
    warnings: [],
  };
  panel.draw({ snapshot, activity: "idle", waiting: null, elsewhere: false, ...rest });
  return { panel, asked, element: panel.element };
}

const button = (element: HTMLElement, text: string) =>
  [...element.querySelectorAll("button")].find(({ textContent }) => textContent === text);

it("a button asks for the profile of the one job, unless the page is busy", () => {
  const { element, asked } = draw({});
  expect(element.querySelector("select")?.hidden).toBe(true);
  button(element, "Profile")?.click();
  expect(asked).toEqual([{ kind: "profile", job: JOB }]);
  expect(button(draw({}, { activity: "running" }).element, "Profile")?.disabled).toBe(true);
  expect(draw({ status: "failed" }).element.querySelector<HTMLElement>(".tm-ask")?.hidden).toBe(true);
});

it("of several jobs the chosen one is meant, and stays chosen while the view is drawn anew", () => {
  const jobs = (["webgl", "wasm", "cpu"] as const).map((backend) => job(backend, [1, 2, 3]));
  const asked: TaskName[] = [];
  const panel = new ProfilePanel(maker(document), { startTask: (name) => asked.push(name) });
  const show = (shown: JobState[]) =>
    panel.draw({ snapshot: snapshotOf(shown), activity: "idle", waiting: null, elsewhere: false });
  show(jobs);
  const select = panel.element.querySelector("select");
  expect([...(select?.options ?? [])].map(({ text }) => text)).toEqual(["webgl", "wasm", "cpu"]);
  expect(select?.labels[0]?.textContent).toContain("Where does the time go?");
  if (select) select.selectedIndex = 2;
  show(jobs.slice(1));
  expect(panel.element.querySelector("select")).toBe(select);
  button(panel.element, "Profile")?.click();
  expect(asked).toEqual([{ kind: "profile", job: { model: 0, backend: "cpu", feed: 0 } }]);
});

it("shows rows with their share and sum, the total, and what the profiler costs", () => {
  const { element } = draw({ profile: profile([row("a", 3), row("b", 1)]) });
  const cells = [...element.querySelectorAll("tbody tr")].map((tr) =>
    [...tr.children].map(({ textContent }) => textContent),
  );
  expect(cells).toEqual([
    ["Conv2D", "3 ms", "0.01 ms", "75.0 %", "75.0 %", "1", "400 kB", "a"],
    ["Conv2D", "1 ms", "0.01 ms", "25.0 %", "100.0 %", "1", "400 kB", "b"],
  ]);
  expect(element.textContent).toContain(
    "Kernels take 4 ms of a profiled run of 5 ms; without the profiler a run takes 4.5 ms; the benchmark's median is 4.5 ms.",
  );
});

it("shows the layer and the node of a graph's kernels", () => {
  const rows = [
    { ...row("model/heavy_1/Relu", 3), layer: "heavy" },
    { ...row("out", 1), layer: "" },
  ];
  const { element } = draw({ profile: profile(rows) });
  const ends = [...element.querySelectorAll("tr")].map((tr) =>
    [...tr.children].slice(-2).map(({ textContent }) => textContent),
  );
  expect(ends).toEqual([
    ["Layer", "Node"],
    ["heavy", "model/heavy_1/Relu"],
    ["–", "out"],
  ]);
});

it("shows ten rows, and all when asked", () => {
  const { element } = draw({ profile: profile(Array.from({ length: 12 }, (_, i) => row(`node ${i}`, 1))) });
  const rows = () => element.querySelectorAll("tbody tr").length;
  expect(rows()).toBe(10);
  button(element, "Show 2 more")?.click();
  expect(rows()).toBe(12);
  button(element, "Show fewer")?.click();
  expect(rows()).toBe(10);
});

it("says why there is none, and text from a model stays text", () => {
  const none = draw({ profile: profile([], { runs: 0, note: "No timer." }) }).element;
  expect(none.textContent).toContain("No timer.");
  expect(none.querySelector("table")).toBeNull();
  const error = { name: "Error", message: HOSTILE, stack: "" };
  const task: Task = { kind: "profile", job: JOB, status: "failed", page: "p", done: 0, total: 0, error };
  const { element } = draw({ profile: profile([row(HOSTILE, 1)]) }, {}, task);
  expect(element.querySelector("img")).toBeNull();
  expect(element.textContent?.split(HOSTILE)).toHaveLength(3);
});

it("says of which contender the profile failed", () => {
  const jobs = (["webgl", "wasm"] as const).map((backend) => job(backend, [1, 2, 3]));
  const error = { name: "Error", message: "out of memory", stack: "" };
  const failing = jobs[1]?.job ?? JOB;
  const task: Task = { kind: "profile", job: failing, status: "failed", page: "p", done: 0, total: 0, error };
  const panel = new ProfilePanel(maker(document), { startTask: () => undefined });
  panel.draw({ snapshot: { ...snapshotOf(jobs), task }, activity: "idle", waiting: null, elsewhere: false });
  const [title, ...others] = panel.element.querySelectorAll(".tm-title");
  expect(others).toEqual([]);
  expect(title?.textContent).toBe("Time per kernel: wasm");
  expect(title?.nextElementSibling?.textContent).toBe("out of memory");
});
