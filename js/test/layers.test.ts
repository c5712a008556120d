// @vitest-environment jsdom
import { expect, it, vi } from "vitest";
import { maker } from "../src/page/dom";
import { LayersSection } from "../src/page/layers";
import { newJobState } from "../src/page/runState";
import type { View } from "../src/page/session";
import { layerPlot } from "../src/plot/layerPlot";
import type { Divergence, JobState, LayerRow, Snapshot, Task } from "../src/protocol";

const HOSTILE = "<img src=x onerror=alert(1)>";
const JOB = { model: 0, backend: "wasm" as const, feed: 0 };
const FAILED = { status: "failed", note: "", outputs: [] };

function row(layer: string, error: number | null, fields: Partial<LayerRow> = {}): LayerRow {
  const passed = error === null || error < 1e-4;
  const errors = { max_abs_error: error, max_rel_error: error, added: error, tolerance: 1e-4 };
  return { layer, layer_class: "Dense", ...errors, passed, note: error === null ? "inside 'b'" : "", ...fields };
}

function divergence(rows: LayerRow[], first = "b"): Divergence {
  return { rows, first, sentence: `'${first}' is the first.`, bound: 1e-4, feed: 0, complete: true };
}

const FOUND = divergence([row("a", 1e-7), row("norm", null), row("b", 0.3), row("c", 0)]);

function section(job: Partial<JobState>, view: Partial<View> = {}, task: Task | null = null) {
  const start = vi.fn();
  const drawn = new LayersSection(maker(document), start);
  const jobs = [{ ...newJobState(JOB), ...job }];
  const models = [{ label: "model", format: "graph-model", nbytes: 14e6 }];
  const snapshot: Snapshot = {
    status: "finished",
    page: "p",
    models,
    environment: null,
    jobs,
    error: null,
    warnings: [],
    task,
  };
  drawn.draw({ snapshot, activity: "idle", waiting: null, elsewhere: false, ...view }, 640);
  const { element } = drawn;
  return { element, start, button: () => element.querySelector("button") };
}

it("offers to find the layer where a verdict did not pass, and nowhere else", () => {
  const offered = (element: HTMLElement) => element.querySelector<HTMLElement>(".tm-ask")?.hidden === false;
  for (const status of ["failed", "reported"]) {
    const { element, button, start } = section({ parity: { ...FAILED, status } });
    expect([button()?.textContent, offered(element)]).toEqual(["Find the layer", true]);
    button()?.click();
    expect(start).toHaveBeenCalledWith({ kind: "divergence", job: JOB });
  }
  for (const status of ["passed", "inconclusive", "no_reference"]) {
    expect(offered(section({ parity: { ...FAILED, status } }).element)).toBe(false);
  }
  expect(offered(section({}).element)).toBe(false);
  expect(section({ parity: FAILED }, { activity: "running" }).button()?.disabled).toBe(true);
  expect(section({ parity: FAILED }, { elsewhere: true }).button()?.disabled).toBe(true);
});

it("shows what was found as sentence, plot and table, text as text", () => {
  const rows = [...FOUND.rows, row(HOSTILE, 0.1, { max_rel_error: 1.79e308 })];
  const { element } = section({ parity: FAILED, divergence: { ...FOUND, rows } });
  expect(element.textContent).toContain("'b' is the first.");
  expect(element.querySelector("img")).toBeNull();
  const cells = [...element.querySelectorAll("tbody tr")].map((tr) => [...tr.children].map((td) => td.textContent));
  expect(cells[1]).toEqual(["norm", "Dense", "–", "–", "–", "1.0e-4", "inside 'b'"]);
  expect(cells[2]).toEqual(["b", "Dense", "0.30", "0.30", "0.30", "1.0e-4", "beyond the bound"]);
  expect(cells[4]?.slice(0, 3)).toEqual([HOSTILE, "Dense", "unbounded"]);
  expect(element.querySelector("tr.tm-named th")?.textContent).toBe("b");
  expect(element.querySelector("summary")?.textContent).toBe("All 5 layers");
});

it("says why it failed, and keeps what was found before", () => {
  const error = { name: "Error", message: "Python cannot run it.", stack: "" };
  const task: Task = { kind: "divergence", job: JOB, status: "failed", page: "p", done: 0, total: 0, error };
  const { element, button } = section({ parity: FAILED, divergence: FOUND }, {}, task);
  expect(element.querySelector(".tm-error")?.textContent).toBe("Python cannot run it.");
  expect(element.textContent).toContain(FOUND.sentence);
  expect(button()?.disabled).toBe(false);
  expect(section({ parity: FAILED }, {}, task).element.textContent).toContain("Python cannot run it.");
});

it("plots the layers that were compared on a log scale, with the bound and the name", () => {
  const svg = layerPlot(document, FOUND, { width: 600, height: 220, color: "#0072b2" });
  expect([...svg.querySelectorAll("circle title")].map((title) => title.textContent)).toEqual([
    "a (Dense): error 1.0e-7, 1.0e-7 of it new",
    "b (Dense): error 0.30, 0.30 of it new",
    "c (Dense): error 0",
    "b (Dense): error 0.30, 0.30 of it new",
  ]);
  const heights = [...svg.querySelectorAll("circle")].map((circle) => Number(circle.getAttribute("cy")));
  const [a = 0, b = 0, c = 0] = heights;
  expect(b < a && a < c).toBe(true);
  expect(svg.textContent).toContain("bound 1.0e-4");
  expect(svg.querySelector("desc")?.textContent).toBe("'b' is the first.");
  expect(svg.querySelector("g[aria-label]")).toBeNull();
  const flat = layerPlot(document, divergence([row("a", 0)], ""), { width: 300, height: 220, color: "red" });
  expect(flat.textContent).not.toContain("NaN");
});
