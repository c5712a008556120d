// @vitest-environment jsdom
import { describe, expect, it } from "vitest";
import { latencyPlot } from "../src/plot/latencyPlot";
import { latencyPicture } from "../src/plot/picture";
import { COLORS, type MarkStyle, type Series, seriesOf, stylesOf } from "../src/plot/series";
import { BACKENDS, type BackendName } from "../src/protocol";
import { job, series, snapshotOf } from "./plotted";

const HOSTILE = "<img src=x onerror=alert(1)>";
const SIZE = { width: 640, height: 260 };

/** How many marks stand for one phase. */
function marks(svg: Element, phase: "first" | "warmup" | "run"): number {
  return svg.querySelectorAll(`[data-part="${phase}"] > *`).length;
}

function ticks(svg: Element, axis: "x" | "y"): number[] {
  const labels = svg.querySelectorAll(`[data-part="${axis}-axis tick label"] text`);
  return [...labels].map(({ textContent }) => Number(textContent));
}

/** Coordinates rounded to whole pixels, so that the snapshot shows changes that a reader would see. */
function rounded(svg: Element): string {
  return svg.outerHTML.replace(/-?\d+\.\d+/g, (digits) => String(Math.round(Number(digits))));
}

describe("latencyPlot", () => {
  const draw = (all: Series[]) => latencyPlot(document, all, SIZE);

  it("draws every value once, first run and warm-up apart from the runs", () => {
    const { svg, points } = draw([series({ firstMs: 7, warmupMs: [6, 5.5], runMs: [5, 5.2, 4.9] })]);
    expect([marks(svg, "first"), marks(svg, "warmup"), marks(svg, "run")]).toEqual([1, 2, 3]);
    expect(points.map(({ phase, index, ms }) => `${phase} ${index} ${ms}`)).toEqual([
      "first 0 7",
      "warmup 0 6",
      "warmup 1 5.5",
      "run 0 5",
      "run 1 5.2",
      "run 2 4.9",
    ]);
    const [x, y] = [points.map((point) => point.x), points.map((point) => point.y)];
    expect(x).toEqual([...x].sort((a, b) => a - b));
    expect(Math.min(...y)).toBe(y[0]);
    expect(svg.querySelector('[data-part="median"]')?.textContent).toBe("5 ms");
  });

  it("keeps the scale of the runs when compiling took much longer, and marks what is above", () => {
    const { svg } = draw([series({ firstMs: 900, warmupMs: [300], runMs: [5, 5.2] })]);
    const above = [...svg.querySelectorAll("text")].filter((text) => text.textContent?.includes("↑"));
    expect(above).toHaveLength(2);
    expect(Math.min(...ticks(svg, "y"))).toBe(0);
    expect(Math.max(...ticks(svg, "y"))).toBeLessThan(6);
  });

  it("lets no single run flatten the others", () => {
    const { svg } = draw([series({ runMs: [...Array.from({ length: 30 }, () => 5), 400] })]);
    expect(Math.max(...ticks(svg, "y"))).toBeLessThan(20);
    expect(marks(svg, "run")).toBe(31);
  });

  it("is logarithmic if medians differ by more than five times, and says so", () => {
    const of = (...medians: number[]) => draw(medians.map((ms, job) => series({ job, runMs: [ms, ms, ms] }))).svg;
    expect(of(2, 10.1).textContent).toContain("latency (ms, logarithmic scale)");
    expect(ticks(of(2, 10.1), "y")).toEqual([2, 5, 10]);
    expect(of(2, 10).textContent).not.toContain("logarithmic");
    expect(of(7).textContent).not.toContain("logarithmic");
    expect(ticks(of(0.004, 900), "y")).toEqual([0.01, 0.1, 1, 10, 100, 1000]);
  });

  it("invents no axis before the first number, and no run before their number is known", () => {
    const { svg } = draw([series({ expectedRuns: 0 })]);
    expect(svg.textContent).toBe("Nothing measured yet.");
    expect(svg.getAttribute("aria-label")).toBe("Latency per run. Nothing measured yet.");
    expect(draw([]).svg.textContent).toBe("Every series is hidden.");
    expect([...ticks(svg, "x"), ...ticks(svg, "y")]).toEqual([]);
    const warm = draw([series({ expectedRuns: 0, warmupMs: [3] })]).svg;
    expect(ticks(warm, "x")).toEqual([]);
    expect(ticks(warm, "y").length).toBeGreaterThan(1);
    expect(ticks(draw([series({ expectedRuns: 30, warmupMs: [3] })]).svg, "x")).toEqual([1, 5, 10, 15, 20, 25, 30]);
  });

  it("draws the extremes of very many runs", () => {
    const runMs = Array.from({ length: 20000 }, (_, i) => 5 + (i % 7));
    runMs[12345] = 11.5;
    const { points } = draw([series({ runMs })]);
    expect(points).toHaveLength(800);
    expect(points.find(({ ms }) => ms === 11.5)?.index).toBe(12345);
    const indices = points.map(({ index }) => index);
    expect(indices).toEqual([...indices].sort((a, b) => a - b));
  });

  it("shows the quartiles of enough runs", () => {
    const boxes = (runMs: number[]) => draw([series({ runMs })]).svg.querySelectorAll('[data-part="box"] > *').length;
    expect(boxes([1, 2, 3, 4])).toBe(0);
    expect(boxes([1, 2, 3, 4, 5])).toBe(1);
  });

  it("leaves the labels of medians out where they would stand far from them", () => {
    const equal = Array.from({ length: 8 }, (_, i) => series({ job: i, runMs: [5, 5.1] }));
    expect(draw(equal).svg.querySelectorAll('[data-part="median"]')).toHaveLength(0);
  });

  it("has as many ticks as there is room for", () => {
    const runs = [series({ runMs: Array.from({ length: 30 }, () => 5), expectedRuns: 30 })];
    const at = (width: number) => ticks(latencyPlot(document, runs, { width, height: 260 }).svg, "x");
    expect([at(640), at(280)]).toEqual([
      [1, 5, 10, 15, 20, 25, 30],
      [1, 10, 20, 30],
    ]);
  });

  it("moves labels of equal medians apart", () => {
    const { svg } = draw(["a", "b", "c"].map((label, job) => series({ label, job, runMs: [5, 5] })));
    const labels = [...svg.querySelectorAll('[data-part="median"]')];
    const heights = labels.map((text) => Number(text.getAttribute("y"))).sort((a, b) => a - b);
    expect(heights).toHaveLength(3);
    for (const [i, height] of heights.slice(1).entries()) expect(height - (heights[i] ?? 0)).toBeGreaterThanOrEqual(13);
  });

  it("names nothing but itself: its parts have no role that could have a name", () => {
    const { svg } = draw([series({ firstMs: 7, runMs: [5, 5.2] })]);
    expect(svg.getAttribute("role")).toBe("img");
    expect(svg.getAttribute("aria-label")).toBe("Latency per run. cpu: median 5.1 ms over 2 runs.");
    expect(svg.querySelectorAll("[aria-label], title")).toHaveLength(0);
  });

  it("looks as it did", () => {
    const cpu = series({ firstMs: 40, warmupMs: [12, 11], runMs: [10, 11, 10.5] });
    const wasm = series({ job: 1, label: "wasm", color: "#cf6000", symbol: "square", firstMs: 5, runMs: [3, 3.1] });
    expect(rounded(draw([cpu, wasm]).svg)).toMatchSnapshot();
  });
});

describe("seriesOf", () => {
  it("names the backend that ran, warns of software, and tells models apart only if there are several", () => {
    const single = snapshotOf([job("webgl", [1], { software: true })]);
    expect(seriesOf(single).map(({ label }) => label)).toEqual(["webgl (software GPU)"]);
    const several = { ...single, models: [...single.models, ...single.models] };
    expect(seriesOf(several).map(({ label }) => label)).toEqual(["model, webgl (software GPU)"]);
  });
});

describe("stylesOf", () => {
  const styles = (models: number, backends: readonly BackendName[]) =>
    stylesOf({
      jobs: Array.from({ length: models }, (_, model) =>
        backends.map((b) => job(b, [], { job: { model, backend: b, feed: 0 } })),
      ).flat(),
    });
  const channels = (color: string) => [1, 3, 5].map((at) => Number.parseInt(color.slice(at, at + 2), 16) / 255);
  const linear = (c: number) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4);
  /** Relative luminance, WCAG 2.1. */
  const luminance = (color: string) =>
    channels(color)
      .map(linear)
      .reduce((sum, c, i) => sum + c * ([0.2126, 0.7152, 0.0722][i] ?? 0), 0);
  /** CIE 1976 L*: 100 is white. */
  const lightness = (color: string) => 116 * Math.cbrt(luminance(color)) - 16;

  it("takes the colour from the model and the symbol from the backend", () => {
    const found = styles(2, ["webgl", "wasm"]);
    expect(found.map(({ color }) => color)).toEqual([COLORS[0], COLORS[0], COLORS[1], COLORS[1]]);
    expect(found.map(({ symbol }) => symbol)).toEqual(["square", "triangle", "square", "triangle"]);
    expect(new Set(styles(1, BACKENDS).map(({ color }) => color)).size).toBe(4);
  });

  it.each([
    [1, 4],
    [2, 4],
    [3, 4],
    [4, 3],
    [6, 2],
    [12, 1],
  ])("tells %i models on %i backends apart in grey", (models, backends) => {
    const found = styles(models, BACKENDS.slice(0, backends));
    const alike = (a: MarkStyle, b: MarkStyle) =>
      a.symbol === b.symbol && a.hollow === b.hollow && Math.abs(lightness(a.color) - lightness(b.color)) < 5;
    const pairs = found.flatMap((a, i) => found.slice(i + 1).map((b) => [a, b] as const));
    expect(pairs.filter(([a, b]) => alike(a, b))).toEqual([]);
  });

  it("numbers jobs of the same model and backend", () => {
    const jobs = Array.from({ length: 12 }, () => job("cpu", [1]));
    expect(new Set(stylesOf({ jobs }).map((style) => JSON.stringify(style))).size).toBe(12);
  });

  it.each(["#ffffff", "#1e1e1e"])("stands out from %s", (paper) => {
    const contrast = (a: number, b: number) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    for (const color of COLORS) expect(contrast(luminance(color), luminance(paper))).toBeGreaterThanOrEqual(3);
  });
});

describe("latencyPicture", () => {
  const runs = Array.from({ length: 30 }, (_, i) => 5 + i / 100);

  it("is well-formed XML with title, legend, median and p90", () => {
    const svg = latencyPicture(document, snapshotOf([job("wasm", runs, { first_ms: 9 }), job("cpu", [])]));
    const parsed = new DOMParser().parseFromString(svg, "image/svg+xml");
    expect(parsed.querySelector("parsererror")).toBeNull();
    expect(parsed.documentElement.textContent).toContain("Latency per run in the browser: model");
    expect(parsed.documentElement.textContent).toContain("wasm: median 5.14 ms, p90 5.26 ms, 30 runs");
    expect(parsed.documentElement.textContent).not.toContain("cpu");
  });

  it("has bars of the medians with their intervals where there are several", () => {
    const parts = (svg: string, part: string) => [
      ...new DOMParser().parseFromString(svg, "image/svg+xml").querySelectorAll(`[data-part="${part}"]`),
    ];
    const one = latencyPicture(document, snapshotOf([job("wasm", runs), job("webgl", [])]));
    expect(parts(one, "median-bar")).toHaveLength(0);
    const twice = runs.map((ms) => 2 * ms);
    const svg = latencyPicture(document, snapshotOf([job("wasm", runs), job("cpu", twice), job("webgl", [5])]));
    const [first, second] = parts(svg, "median-bar").map((bar) => Number(bar.getAttribute("width")));
    expect((second ?? 0) / (first ?? 1)).toBeCloseTo(2, 3);
    const ends = parts(svg, "median-interval").map((path) => path.getAttribute("d")?.match(/M([\d.]+) .*H([\d.]+)/));
    expect(ends).toHaveLength(2);
    expect(Number(ends[1]?.[2])).toBeCloseTo(716, 1);
    expect(Number(ends[0]?.[1])).toBeLessThan(20 + (first ?? 0));
  });

  it("shortens names that a line does not hold", () => {
    const svg = latencyPicture(document, snapshotOf([job("wasm", runs)], "🙂".repeat(300)));
    expect(svg.match(/(🙂)+…/gu)).toEqual([`${"🙂".repeat(57)}…`]);
  });

  it("keeps a hostile label as text and carries no script", () => {
    const svg = latencyPicture(document, snapshotOf([job("wasm", runs)], HOSTILE));
    const parsed = new DOMParser().parseFromString(svg, "image/svg+xml");
    expect(parsed.querySelector("img, script")).toBeNull();
    expect(parsed.documentElement.textContent).toContain(HOSTILE);
  });

  it("does not depend on the page's theme", () => {
    const svg = latencyPicture(document, snapshotOf([job("wasm", runs)]));
    expect(svg).toContain('color="#777"');
    expect(svg).not.toContain("var(--jp");
  });

  it("has a page of its own where it is to be published", () => {
    const svg = latencyPicture(document, snapshotOf([job("wasm", runs)]), { ink: "#222", paper: "#fff" });
    expect(svg).toContain('<rect width="100%" height="100%" fill="#fff"');
    expect(svg).not.toContain("#777");
  });
});
