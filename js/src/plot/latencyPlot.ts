/** Latency per run as SVG: warm-up in a shaded region on the left, runs on the right, medians named at the edge. */
import * as Plot from "@observablehq/plot";
import { formatMs } from "../format";
import { quantile } from "../stats";
import type { MarkSymbol, Series } from "./series";

export type PlotSize = { width: number; height: number };

type Point = { x: number; y: number; title: string };
type Label = { x: number; y: number; text: string; color: string; symbol: MarkSymbol };

const LABEL_MAX_CHARS = 26;
const LABEL_LINE_PX = 14;
const MARGIN_TOP = 18;
const MARGIN_BOTTOM = 36;
const SMALL_SYMBOL = 2.6;

/** Draws what there is; `currentColor` for everything but the series. */
export function latencyPlot(document: Document, series: readonly Series[], size: PlotSize): SVGSVGElement {
  const frame = frameOf(series);
  const labels = medianLabels(series, frame, size);
  const chars = Math.max(0, ...labels.map((label) => label.text.length));
  const svg = Plot.plot({
    document,
    width: size.width,
    height: size.height,
    marginTop: MARGIN_TOP,
    marginBottom: MARGIN_BOTTOM,
    marginLeft: 46,
    marginRight: Math.min(26 + chars * 6.9, size.width * 0.4),
    style: { background: "transparent", overflow: "visible", fontFamily: "inherit", fontSize: "11px" },
    x: { domain: [frame.left, frame.right] },
    y: { domain: [0, frame.top], label: "latency (ms)", labelArrow: "none", grid: true, nice: false },
    marks: [...regionMarks(frame), ...series.flatMap((one) => seriesMarks(one, frame)), ...labelMarks(labels)],
  });
  return describePlot(document, asSvg(svg), series);
}

type Frame = {
  left: number;
  right: number;
  top: number;
  /** Distance of two warm-up marks: together they take 15 to 35 % of the runs' width. */
  step: number;
  /** Number of marks left of the runs. */
  warmups: number;
};

function frameOf(series: readonly Series[]): Frame {
  const runs = Math.max(10, ...series.map((one) => one.expectedRuns));
  const warmups = Math.max(4, ...series.map((one) => one.warmupMs.length + 1));
  const step = Math.min(Math.max(warmups, 0.15 * runs), 0.35 * runs) / warmups;
  const inRuns = series.flatMap((one) => one.runMs);
  const inWarmup = series.flatMap((one) => one.warmupMs);
  const first = series.flatMap((one) => one.firstMs ?? []);
  // A compiling first run would flatten everything else: the runs set the scale, what is above is marked as such.
  const shown = [inRuns, inWarmup, first].find((values) => values.length > 0) ?? [1];
  const top = 1.15 * shown.reduce((a, b) => Math.max(a, b), 0);
  return { left: -(warmups + 0.5) * step, right: runs + 0.5, top: top > 0 ? top : 1, step, warmups };
}

function regionMarks(frame: Frame): Plot.Markish[] {
  const region = [{ x1: frame.left, x2: 0 }];
  const name = [{ x: frame.left / 2, y: 0 }];
  return [
    Plot.rect(region, { x1: "x1", x2: "x2", y1: 0, y2: frame.top, fill: "currentColor", fillOpacity: 0.07 }),
    Plot.text(name, { x: "x", y: "y", text: () => "warm-up", dy: 14 }),
    Plot.axisX({
      ticks: runTicks(frame.right),
      label: "run",
      labelAnchor: "center",
      labelArrow: "none",
      labelOffset: MARGIN_BOTTOM - 3,
    }),
    Plot.ruleY([0]),
  ];
}

/** At most seven whole numbers: 1 and round ones. */
function runTicks(right: number): number[] {
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000].find((size) => right / size <= 6) ?? Math.ceil(right / 6);
  const round = Array.from({ length: Math.floor(right / step) }, (_, i) => (i + 1) * step);
  return step === 1 ? round : [1, ...round];
}

function seriesMarks(series: Series, frame: Frame): Plot.Markish[] {
  const { color, symbol, label } = series;
  const at = (k: number) => (k - frame.warmups) * frame.step;
  const first: Point[] =
    series.firstMs === null
      ? []
      : [{ x: at(0), y: series.firstMs, title: `${label}, first run: ${formatMs(series.firstMs)}` }];
  const warmup = series.warmupMs.map((y, i) => ({
    x: at(i + 1),
    y,
    title: `${label}, warm-up ${i + 1}: ${formatMs(y)}`,
  }));
  const runs = series.runMs.map((y, i) => ({ x: i + 1, y, title: `${label}, run ${i + 1}: ${formatMs(y)}` }));
  const inside = (point: Point) => point.y <= frame.top;
  const above = [...first, ...warmup].filter((point) => !inside(point)).map((point) => ({ ...point, y: frame.top }));
  const channels = { x: "x", y: "y", title: "title" } as const;
  return [
    Plot.line(runs, { x: "x", y: "y", stroke: color, strokeWidth: 1, strokeOpacity: 0.45 }),
    Plot.dot(first.filter(inside), { ...channels, symbol: "times", stroke: color, strokeWidth: 2, r: 4 }),
    Plot.dot(warmup.filter(inside), { ...channels, symbol, stroke: color, strokeWidth: 1.2, r: 3 }),
    Plot.text(above, { ...channels, text: () => "▲", fill: color, dy: 6 }),
    Plot.dot(runs, { ...channels, symbol, fill: color, r: runs.length > 200 ? 1.5 : SMALL_SYMBOL }),
    ...medianRule(series, frame),
  ];
}

function medianRule(series: Series, frame: Frame): Plot.Markish[] {
  if (series.runMs.length === 0) return [];
  const y = quantile(series.runMs, 0.5);
  return [
    Plot.ruleY([{ y }], {
      y: "y",
      x1: 0.5,
      x2: frame.right,
      stroke: series.color,
      strokeWidth: 1.5,
      strokeDasharray: "5,3",
    }),
  ];
}

/** One label per median, moved apart where they would overlap. */
function medianLabels(series: readonly Series[], frame: Frame, size: PlotSize): Label[] {
  const line = (frame.top / (size.height - MARGIN_TOP - MARGIN_BOTTOM)) * LABEL_LINE_PX;
  const labels = series
    .filter((one) => one.runMs.length > 0)
    .map((one) => {
      const y = quantile(one.runMs, 0.5);
      // In a narrow column the table's symbols are legend enough.
      const name = size.width < 480 ? "" : `${shorten(one.label)} `;
      return { x: frame.right, y, text: `${name}${formatMs(y)}`, color: one.color, symbol: one.symbol };
    })
    .sort((a, b) => a.y - b.y);
  let lowest = Number.NEGATIVE_INFINITY;
  for (const label of labels) {
    label.y = Math.max(label.y, lowest);
    lowest = label.y + line;
  }
  return labels;
}

function shorten(name: string): string {
  return name.length <= LABEL_MAX_CHARS ? name : `${name.slice(0, LABEL_MAX_CHARS - 1)}…`;
}

function labelMarks(labels: readonly Label[]): Plot.Markish[] {
  return labels.flatMap((label) => [
    Plot.dot([label], { x: "x", y: "y", dx: 9, symbol: label.symbol, fill: label.color, r: 4 }),
    Plot.text([label], { x: "x", y: "y", dx: 18, text: "text", textAnchor: "start" }),
  ]);
}

function asSvg(element: Element): SVGSVGElement {
  if (element.tagName.toLowerCase() !== "svg") throw new Error(`The plot is a <${element.tagName}>, not an SVG.`);
  return element as SVGSVGElement;
}

/** A name and a sentence per series for readers who do not see the plot. */
function describePlot(document: Document, svg: SVGSVGElement, series: readonly Series[]): SVGSVGElement {
  const sentences = series
    .filter((one) => one.runMs.length > 0)
    .map((one) => `${one.label}: median ${formatMs(quantile(one.runMs, 0.5))} over ${one.runMs.length} runs.`);
  const describe = (tag: "title" | "desc", text: string) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    element.textContent = text;
    return element;
  };
  svg.setAttribute("role", "img");
  svg.prepend(describe("title", "Latency per run"), describe("desc", sentences.join(" ") || "No runs yet."));
  return svg;
}
