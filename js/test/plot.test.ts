// @vitest-environment jsdom
import { describe, expect, it } from "vitest";
import { newJobState } from "../src/page/runState";
import { latencyPlot } from "../src/plot/latencyPlot";
import { latencyPicture } from "../src/plot/picture";
import { type Series, seriesOf } from "../src/plot/series";
import type { BackendName, JobState, Snapshot } from "../src/protocol";

const HOSTILE = "<img src=x onerror=alert(1)>";
const SIZE = { width: 640, height: 260 };

function job(backend: BackendName, run_ms: number[], rest: Partial<JobState> = {}): JobState {
  return { ...newJobState({ model: 0, backend, feed: 0 }), status: "done", actual: backend, run_ms, ...rest };
}

function snapshot(jobs: JobState[], label = "model"): Snapshot {
  const models = [{ label, format: "graph-model", nbytes: 100 }];
  return { status: "finished", page: "", models, environment: null, jobs, error: null, task: null, warnings: [] };
}

function one(rest: Partial<Series>): Series {
  const base = {
    label: "cpu",
    color: "#0072b2",
    symbol: "circle",
    firstMs: null,
    warmupMs: [],
    runMs: [],
    expectedRuns: 10,
  } as const;
  return { ...base, ...rest };
}

function marks(svg: Element, label: string): string[] {
  return [...svg.querySelectorAll("title")]
    .map((title) => title.textContent ?? "")
    .filter((text) => text.startsWith(label))
    .sort();
}

/** Coordinates rounded to whole pixels, so that the snapshot shows changes that a reader would see. */
function rounded(svg: Element): string {
  return svg.outerHTML.replace(/-?\d+\.\d+/g, (digits) => String(Math.round(Number(digits))));
}

describe("latencyPlot", () => {
  it("draws every value once, first run and warm-up apart from the runs", () => {
    const svg = latencyPlot(document, [one({ firstMs: 7, warmupMs: [6, 5.5], runMs: [5, 5.2, 4.9] })], SIZE);
    expect(marks(svg, "cpu, first run")).toEqual(["cpu, first run: 7 ms"]);
    expect(marks(svg, "cpu, warm-up")).toEqual(["cpu, warm-up 1: 6 ms", "cpu, warm-up 2: 5.5 ms"]);
    expect(marks(svg, "cpu, run")).toEqual(["cpu, run 1: 5 ms", "cpu, run 2: 5.2 ms", "cpu, run 3: 4.9 ms"]);
    expect(svg.textContent).toContain("cpu 5 ms");
  });

  it("keeps the scale of the runs when compiling took much longer, and marks what is above", () => {
    const svg = latencyPlot(document, [one({ firstMs: 900, warmupMs: [300], runMs: [5, 5.2] })], SIZE);
    const above = [...svg.querySelectorAll("text")].filter((text) => text.textContent?.includes("▲"));
    expect(above).toHaveLength(2);
    const ticks = [...svg.querySelectorAll('[aria-label="y-axis tick label"] text')].map((text) =>
      Number(text.textContent),
    );
    expect(Math.min(...ticks)).toBe(0);
    expect(Math.max(...ticks)).toBeLessThan(6);
  });

  it("draws an empty frame before the first number", () => {
    const svg = latencyPlot(document, [], SIZE);
    expect(svg.querySelector("desc")?.textContent).toBe("No runs yet.");
    expect(svg.getAttribute("role")).toBe("img");
  });

  it("moves labels of equal medians apart", () => {
    const series = ["a", "b", "c"].map((label) => one({ label, runMs: [5, 5] }));
    const svg = latencyPlot(document, series, SIZE);
    const labels = [...svg.querySelectorAll("text")].filter((text) => / 5 ms$/.test(text.textContent ?? ""));
    const heights = labels.map((text) =>
      Number(/translate\([^,]+,([^)]+)\)/.exec(text.getAttribute("transform") ?? "")?.[1]),
    );
    heights.sort((a, b) => a - b);
    expect(heights).toHaveLength(3);
    for (const [i, height] of heights.slice(1).entries()) expect(height - (heights[i] ?? 0)).toBeGreaterThanOrEqual(13);
  });

  it("looks as it did", () => {
    const cpu = one({ firstMs: 40, warmupMs: [12, 11], runMs: [10, 11, 10.5] });
    const wasm = one({ label: "wasm", color: "#d55e00", symbol: "square", firstMs: 5, warmupMs: [4], runMs: [3, 3.1] });
    expect(rounded(latencyPlot(document, [cpu, wasm], SIZE))).toMatchSnapshot();
  });
});

describe("seriesOf", () => {
  it("names the backend that ran, warns of software, and tells models apart only if there are several", () => {
    const single = snapshot([job("webgl", [1], { software: true })]);
    expect(seriesOf(single).map(({ label }) => label)).toEqual(["webgl (software GPU)"]);
    const several = { ...single, models: [...single.models, ...single.models] };
    expect(seriesOf(several).map(({ label }) => label)).toEqual(["model, webgl (software GPU)"]);
  });

  it("gives six jobs six colours and six symbols", () => {
    const series = seriesOf(snapshot(Array.from({ length: 6 }, () => job("cpu", [1]))));
    expect(new Set(series.map(({ color }) => color)).size).toBe(6);
    expect(new Set(series.map(({ symbol }) => symbol)).size).toBe(6);
  });
});

describe("latencyPicture", () => {
  const runs = Array.from({ length: 30 }, (_, i) => 5 + i / 100);

  it("is well-formed XML with title, legend, median and p90", () => {
    const svg = latencyPicture(document, snapshot([job("wasm", runs, { first_ms: 9 }), job("cpu", [])]));
    const parsed = new DOMParser().parseFromString(svg, "image/svg+xml");
    expect(parsed.querySelector("parsererror")).toBeNull();
    expect(parsed.documentElement.textContent).toContain("Latency per run in the browser: model");
    expect(parsed.documentElement.textContent).toContain("wasm: median 5.14 ms, p90 5.26 ms, 30 runs");
    expect(parsed.documentElement.textContent).not.toContain("cpu");
  });

  it("keeps a hostile label as text and carries no script", () => {
    const svg = latencyPicture(document, snapshot([job("wasm", runs)], HOSTILE));
    const parsed = new DOMParser().parseFromString(svg, "image/svg+xml");
    expect(parsed.querySelector("img, script")).toBeNull();
    expect(parsed.documentElement.textContent).toContain(HOSTILE);
  });

  it("does not depend on the page's theme", () => {
    const svg = latencyPicture(document, snapshot([job("wasm", runs)]));
    expect(svg).toContain('color="#777"');
    expect(svg).not.toContain("var(--jp");
  });
});
