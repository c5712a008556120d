// @vitest-environment jsdom
import { describe, expect, it } from "vitest";
import { formatBytes, formatError, formatMs, printable } from "../src/format";
import { maker } from "../src/page/dom";
import { newJobState } from "../src/page/runState";
import type { Activity, View } from "../src/page/session";
import { statusLine } from "../src/page/status";
import { errorBox, JobTable } from "../src/page/table";
import { modelLabel } from "../src/plot/series";
import type { JobState, Parity, Snapshot } from "../src/protocol";

const HOSTILE = "<img src=x onerror=alert(1)>";
const make = maker(document);

function snapshot(job: Partial<JobState>, rest: Partial<Snapshot> = {}): Snapshot {
  const jobs = [{ ...newJobState({ model: 0, backend: "wasm", feed: 0 }), status: "running" as const, ...job }];
  const models = [{ label: "model", format: "graph-model", nbytes: 14e6 }];
  const none = { environment: null, error: null, task: null, warnings: [] };
  return { status: "running", page: "p", models, jobs, ...none, ...rest };
}

function line(job: Partial<JobState>, rest: Partial<View> = {}): string {
  const view: View = { snapshot: snapshot(job), activity: "running", waiting: null, elsewhere: false, ...rest };
  return statusLine(view).text;
}

function cells(job: Partial<JobState>): HTMLElement {
  const table = new JobTable(make);
  table.draw(snapshot(job));
  return table.element;
}

const text = (table: HTMLElement, label: string) => table.querySelector(`td[data-label="${label}"]`)?.textContent;

it("the memory of a job is unfolded, but a leak is told at once", () => {
  const parity = { status: "passed", note: "", outputs: [] };
  const memory = { model_nbytes: 14e6, peak_nbytes: 21e6, leaked_tensors: 0, wasm_nbytes: 33e6 };
  expect(cells({ parity, memory }).textContent).not.toContain("Tensors take");
  const leaking = cells({ parity, transfer_ms: 25, memory: { ...memory, leaked_tensors: 2 } }).textContent;
  expect(leaking).toContain("Model and samples arrived in 25 ms.");
  expect(leaking).toContain("Tensors take 14 MB after loading and 21 MB at most in a run");
  expect(leaking).toContain("Each run leaves 2 tensors behind");
});

describe("statusLine", () => {
  it("tells what happens in words and as a share", () => {
    expect(line({ stage: "weights", done: 3.1e6, total: 14e6 })).toBe("wasm: downloading weights, 3.1 MB of 14 MB");
    expect(line({ stage: "warmup", done: 4 })).toBe("wasm: warm-up 4, until stable");
    expect(line({ stage: "run", done: 12, total: 30 })).toBe("wasm: run 12 of 30");
    const view = {
      snapshot: snapshot({ stage: "run", done: 15, total: 30 }),
      activity: "running",
      waiting: null,
      elsewhere: false,
    } as const;
    expect(statusLine(view).share).toBe(0.5);
  });

  it("says for what it waits, before everything else", () => {
    expect(line({ stage: "run" }, { waiting: "busy" })).toContain("Waiting for the kernel (a cell is running)");
    expect(line({ stage: "run" }, { waiting: "disconnected" })).toContain("The connection to the kernel is lost");
    expect(line({}, { activity: "queued" })).toContain("another benchmark");
    expect(line({ stage: "run", done: 1, total: 2 }, { elsewhere: true, activity: "idle" })).toBe(
      "In another tab: wasm: run 1 of 2",
    );
  });

  it.each<[Snapshot["status"], string]>([
    ["pending", "Not run yet."],
    ["finished", "Finished."],
    ["stopped", "Stopped."],
    ["failed", "failed"],
    ["interrupted", "closed or reloaded"],
  ])("has a sentence for %s", (status, want) => {
    const activity: Activity = "idle";
    const view = { snapshot: { ...snapshot({ status: "done" }), status }, activity, waiting: null, elsewhere: false };
    expect(statusLine(view).text).toContain(want);
  });
});

describe("a kernel that is gone", () => {
  it.each<[Snapshot["status"], boolean]>([
    ["finished", true],
    ["stopped", true],
    ["failed", false],
  ])("is told beside %s: %s", (status, told) => {
    const view = { snapshot: { ...snapshot({ status: "done" }), status }, activity: "idle", elsewhere: false } as const;
    const { text } = statusLine({ ...view, waiting: null, gone: true });
    expect(text.includes("run the cell again for another run")).toBe(told);
    expect(text.startsWith(statusLine({ ...view, waiting: null }).text)).toBe(true);
  });
});

describe("jobTable", () => {
  it("shows median and min of few runs, but no p90", () => {
    const table = cells({ run_ms: [3, 1, 2], load_ms: 12.34, first_ms: 99, warmup_ms: [9, 9] });
    expect(text(table, "Median")).toBe("2 ms");
    expect(text(table, "Min")).toBe("1 ms");
    expect(text(table, "p90")).toBe("–");
    expect(text(table, "Load")).toBe("12.3 ms");
    expect(text(table, "First run")).toBe("99 ms2 warm-ups");
    const many = cells({ run_ms: Array.from({ length: 30 }, (_, i) => i + 1) });
    expect(text(many, "p90")).toBe("27.1 ms");
    expect(text(many, "Median")).toBe("15.5 ms10–21 ms");
  });

  it("says when a run is a batch of calls and when a CPU plays the GPU", () => {
    const table = cells({ run_ms: [1], batch: 7, actual: "webgl", software: true, device: "SwiftShader" });
    expect(text(table, "Median")).toContain("7 calls per run");
    expect(table.querySelector("tbody th")?.textContent).toBe("webgl SOFTWARE GPUSwiftShader");
  });

  const parity: Parity = {
    status: "passed",
    note: "Two samples.",
    outputs: [
      {
        output: HOSTILE,
        max_abs_error: 1e-7,
        max_rel_error: 2e-6,
        cosine: 1,
        top1_agreement: 1,
        tolerance: 1e-4,
        passed: true,
      },
    ],
  };

  it("unfolds the comparison by its button, with every output", () => {
    const table = cells({ parity });
    const badge = () => table.querySelector("button");
    const detail = () => table.querySelector<HTMLElement>(`#${badge()?.getAttribute("aria-controls")}`);
    expect(badge()?.textContent).toBe("✓ passed (error 2.0e-6)");
    expect(badge()?.getAttribute("aria-expanded")).toBe("false");
    expect(detail()?.hidden).toBe(true);
    badge()?.click();
    expect(badge()?.getAttribute("aria-expanded")).toBe("true");
    expect(detail()?.hidden).toBe(false);
    expect(detail()?.textContent).toContain(HOSTILE);
    expect(table.querySelector("img")).toBeNull();
    badge()?.click();
    expect(detail()?.hidden).toBe(true);
  });

  it("names its rows apart from those of another view", () => {
    const ids = [cells({ parity }), cells({ parity })].map((table) => table.querySelector(".tm-detail")?.id);
    expect(new Set(ids).size).toBe(2);
  });

  it("never ticks what proves nothing", () => {
    const unsure = cells({ parity: { ...parity, status: "inconclusive" } });
    expect(unsure.querySelector("button")?.textContent).toBe("? inconclusive");
    unsure.querySelector("button")?.click();
    expect(unsure.querySelector(".tm-detail tbody")?.textContent).not.toContain("passed");
  });

  it("shows a failed comparison without being asked", () => {
    const failed = cells({ parity: { ...parity, status: "failed" } });
    expect(failed.querySelector(".tm-detail")?.textContent).toContain("Two samples.");
  });

  it("shows an error with its stack folded away", () => {
    const table = cells({ status: "failed", error: { name: "E", message: HOSTILE, stack: "at x" } });
    expect(table.querySelector(".tm-error")?.firstChild?.textContent).toBe(HOSTILE);
    expect(table.querySelector("details pre")?.textContent).toBe("at x");
    expect(table.querySelector("img")).toBeNull();
    expect(errorBox(make, { name: "E", message: "m", stack: "" }).querySelector("details")).toBeNull();
  });
});

it("a name cannot turn around what stands beside it, nor begin a line", () => {
  expect(printable("a\u202eb\n\u2028\u00ad\t\u{e0001}é🙂")).toBe("a\\u202eb\\n\\u2028\\xad\\t\\U000e0001é🙂");
  expect(printable("\ud800")).toBe("\\ud800");
  const models = [{ label: "\u202eevil", format: "graph-model", nbytes: 1 }];
  const [job] = snapshot({}).jobs;
  expect(job && modelLabel(snapshot({}, { models }), job)).toBe("\\u202eevil");
});

it("numbers are written for readers", () => {
  expect([0.12345, 20.94, 999.4, 1234, 12345].map(formatMs)).toEqual([
    "0.123 ms",
    "20.9 ms",
    "999 ms",
    "1234 ms",
    "12.3 s",
  ]);
  expect(formatMs(null)).toBe("–");
  expect(formatMs(1_234_567)).toBe("1235 s");
  expect([12, 3400, 3.14e6, 102e6].map(formatBytes)).toEqual(["12 B", "3.4 kB", "3.1 MB", "102 MB"]);
  expect([0, 1.234e-6, 1.7e308].map(formatError)).toEqual(["0", "1.2e-6", "unbounded"]);
});
