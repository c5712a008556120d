/** Latency per run as SVG: warm-up in a shaded region, then the runs, then each series' quartiles and median. */
import * as Plot from "@observablehq/plot";
import { formatMs } from "../format";
import { quantile } from "../stats";
import { drawnIndices, type Frame, frameOf, logTicks, median, type PlotSize, runTicks } from "./frame";
import type { Series } from "./series";

/** A latency, and where it stands in the plot, in pixels. */
export type PlottedPoint = {
  series: Series;
  phase: "first" | "warmup" | "run";
  index: number;
  ms: number;
  x: number;
  y: number;
};

export type LatencyPlot = { svg: SVGSVGElement; points: readonly PlottedPoint[] };

const MARGIN = { top: 18, right: 66, bottom: 36, left: 46 };
const LABEL_LINE_PX = 14;
const MOST_LINES_AWAY = 2;
const WARMUP_LABEL_PX = 60;
const TICK_PX = 36;
const MAX_TICKS = 6;
/** Gap before the boxes, and the width of one. */
const GAP_PX = 10;
const LANE_PX = 14;
const MAX_LANES_SHARE = 0.2;
/** Of more runs than twice this, only the extremes of so many parts are drawn: no more can be told apart. */
const MAX_PAIRS = 400;
/** A box needs this many runs to say something. */
const MIN_RUNS_FOR_BOX = 5;
const SVG = "http://www.w3.org/2000/svg";

/** Draws what there is; `currentColor` for everything but the series. */
export function latencyPlot(document: Document, series: readonly Series[], size: PlotSize): LatencyPlot {
  const frame = frameOf(series);
  if (!frame) return { svg: emptyPlot(document, size, series), points: [] };
  const measured = series.filter((one) => one.runMs.length > 0);
  const inner = size.width - MARGIN.left - MARGIN.right;
  const lane = Math.min(LANE_PX, (MAX_LANES_SHARE * inner) / Math.max(1, measured.length));
  const stripPx = measured.length > 0 ? GAP_PX + lane * measured.length : 0;
  const unit = (frame.right - frame.left) / (inner - stripPx);
  const end = frame.right + stripPx * unit;
  const laneOf = (i: number) => ({ x: frame.right + (GAP_PX + (i + 0.5) * lane) * unit, half: 0.36 * lane * unit });
  const figure = Plot.plot({
    document,
    ...size,
    marginTop: MARGIN.top,
    marginRight: MARGIN.right,
    marginBottom: MARGIN.bottom,
    marginLeft: MARGIN.left,
    style: { background: "transparent", overflow: "visible", fontFamily: "inherit", fontSize: "11px" },
    x: { domain: [frame.left, end] },
    y: { type: frame.log ? "log" : "linear", domain: [frame.bottom, frame.top], nice: false },
    marks: [
      ...latencyAxis(frame),
      ...regionMarks(frame, end, inner),
      ...series.flatMap((one) => seriesMarks(one, frame)),
      ...measured.flatMap((one, i) => [...boxMarks(one, frame, laneOf(i)), medianRule(one, end)]),
      ...(measured.length > 0 ? [stripName(frame)] : []),
    ],
  });
  const [x, y] = [scaleOf(figure, "x"), scaleOf(figure, "y")];
  const svg = asSvg(figure);
  svg.append(...medianLabels(document, measured, size, y));
  const points = series.flatMap((one) =>
    pointsOf(one, frame).map((point) => ({ ...point, x: x(point.at), y: y(point.y) })),
  );
  const medians = measured.map((one) => `${one.label}: median ${formatMs(median(one))} over ${one.runMs.length} runs.`);
  return { svg: describePlot(svg, medians), points };
}

function scaleOf(figure: { scale(name: "x" | "y"): Plot.Scale | undefined }, name: "x" | "y") {
  const scale = figure.scale(name);
  return (value: number): number => scale?.apply(value) ?? 0;
}

/** Says why there is nothing to see. */
function emptyPlot(document: Document, { width, height }: PlotSize, series: readonly Series[]): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("width", String(width));
  svg.setAttribute("height", String(height));
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const why = series.length === 0 ? "Every series is hidden." : "Nothing measured yet.";
  const text = svgText(document, why, width / 2, height / 2);
  text.setAttribute("text-anchor", "middle");
  svg.append(text);
  return describePlot(svg, [why]);
}

function latencyAxis(frame: Frame): Plot.Markish[] {
  const label = frame.log ? "latency (ms, logarithmic scale)" : "latency (ms)";
  const named = { label, labelArrow: "none" } as const;
  if (!frame.log) return [Plot.gridY(), Plot.axisY(named)];
  const ticks = logTicks(frame);
  // With tickFormat Plot would leave out labels of a logarithmic axis by a rule of its own.
  return [Plot.gridY({ ticks }), Plot.axisY({ ...named, ticks, text: String })];
}

function regionMarks(frame: Frame, end: number, inner: number): Plot.Markish[] {
  const { left, right, bottom, top } = frame;
  const runsPx = (right / (end - left)) * inner;
  const isNarrow = (-left / (end - left)) * inner < WARMUP_LABEL_PX;
  const name = isNarrow ? ({ x: 0, textAnchor: "end", dx: -2 } as const) : { x: left / 2 };
  return [
    Plot.rect([0], { x1: left, x2: 0, y1: bottom, y2: top, fill: "currentColor", fillOpacity: 0.07 }),
    Plot.text(["warm-up"], { ...name, y: bottom, text: String, dy: 14 }),
    Plot.axisX({
      ticks: runTicks(frame, Math.min(MAX_TICKS, Math.max(1, Math.floor(runsPx / TICK_PX)))),
      label: "run",
      labelAnchor: "center",
      labelArrow: "none",
      labelOffset: MARGIN.bottom - 3,
    }),
    Plot.ruleY([bottom], { x1: left, x2: end }),
  ];
}

function stripName({ right, bottom }: Frame): Plot.Markish {
  return Plot.text(["quartiles"], { x: right, y: bottom, text: String, textAnchor: "start", dx: 14, dy: 14 });
}

type Point = { phase: PlottedPoint["phase"]; index: number; ms: number; at: number; y: number; series: Series };

/** In the order in which they were measured. */
function pointsOf(series: Series, frame: Frame): Point[] {
  const at = (k: number) => (k - frame.warmups) * frame.step;
  const y = (ms: number) => Math.min(Math.max(ms, frame.bottom), frame.top);
  const point = (phase: Point["phase"], index: number, ms: number, x: number) => ({
    series,
    phase,
    index,
    ms,
    at: x,
    y: y(ms),
  });
  return [
    ...(series.firstMs === null ? [] : [point("first", 0, series.firstMs, at(0))]),
    ...series.warmupMs.map((ms, i) => point("warmup", i, ms, at(i + 1))),
    ...drawnIndices(series.runMs, MAX_PAIRS).map((i) => point("run", i, series.runMs[i] ?? 0, i + 1)),
  ];
}

function seriesMarks(series: Series, frame: Frame): Plot.Markish[] {
  const { color, symbol, hollow } = series;
  const points = pointsOf(series, frame);
  const within = (phase: Point["phase"]) => points.filter((point) => point.phase === phase && point.ms <= frame.top);
  const above = (phase: Point["phase"]) => points.filter((point) => point.phase === phase && point.ms > frame.top);
  const runs = points.filter(({ phase }) => phase === "run");
  const paint = hollow ? { fill: "none", stroke: color, strokeWidth: 1.3 } : { fill: color };
  const small = runs.length > 200 ? 1.5 : 2.6;
  const channels = { x: "at", y: "y" } as const;
  const beyond = { ...channels, text: () => "↑", fill: color, dy: 7, fontSize: 14, fontWeight: "bold" };
  return [
    Plot.line(runs, { ...channels, stroke: color, strokeWidth: 1, strokeOpacity: 0.45 }),
    Plot.dot(within("first"), {
      ...channels,
      ariaDescription: "first",
      symbol: "times",
      stroke: color,
      strokeWidth: 2,
      r: 4,
    }),
    Plot.dot(within("warmup"), { ...channels, ariaDescription: "warmup", symbol, ...paint, opacity: 0.6, r: small }),
    Plot.dot(within("run"), { ...channels, ariaDescription: "run", symbol, ...paint, r: small }),
    ...(["first", "warmup", "run"] as const).map((phase) =>
      Plot.text(above(phase), { ...beyond, ariaDescription: phase }),
    ),
  ];
}

function medianRule(series: Series, end: number): Plot.Markish {
  return Plot.ruleY([median(series)], {
    x1: 0.5,
    x2: end,
    stroke: series.color,
    strokeWidth: 1.5,
    strokeDasharray: "5,3",
    strokeOpacity: 0.8,
  });
}

/** Quartiles as a box; from the 5th to the 95th percentile a line, as far as the scale goes. */
function boxMarks(series: Series, frame: Frame, { x, half }: { x: number; half: number }): Plot.Markish[] {
  const { runMs, color, hollow } = series;
  if (runMs.length < MIN_RUNS_FOR_BOX) return [];
  const at = (q: number) => Math.min(Math.max(quantile(runMs, q), frame.bottom), frame.top);
  return [
    Plot.ruleX([x], { y1: at(0.05), y2: at(0.95), stroke: color, ariaDescription: "range" }),
    Plot.rect([x], {
      x1: x - half,
      x2: x + half,
      y1: at(0.25),
      y2: at(0.75),
      fill: color,
      fillOpacity: hollow ? 0.15 : 0.55,
      stroke: color,
      ariaDescription: "box",
    }),
    Plot.ruleY([at(0.5)], { x1: x - half, x2: x + half }),
  ];
}

/** The medians at the right edge, moved apart where they would overlap; none where that led too far away from them. */
function medianLabels(
  document: Document,
  series: readonly Series[],
  { width, height }: PlotSize,
  y: (ms: number) => number,
): SVGElement[] {
  const labels = series.map((one) => ({ one, y: y(median(one)) })).sort((a, b) => b.y - a.y);
  let lowest = height - MARGIN.bottom;
  for (const label of labels) {
    label.y = Math.min(label.y, lowest);
    lowest = label.y - LABEL_LINE_PX;
  }
  const shift = Math.max(0, LABEL_LINE_PX / 2 - (labels.at(-1)?.y ?? height));
  if (labels.some((label) => Math.abs(label.y + shift - y(median(label.one))) > MOST_LINES_AWAY * LABEL_LINE_PX)) {
    return [];
  }
  return labels.map(({ one, y: at }) => {
    const text = svgText(document, formatMs(median(one)), width - MARGIN.right + 6, at + shift);
    text.setAttribute("data-part", "median");
    return text;
  });
}

function svgText(document: Document, content: string, x: number, y: number): SVGTextElement {
  const element = document.createElementNS(SVG, "text");
  const attributes = { x, y, dy: "0.32em", fill: "currentColor", "font-size": 11, "text-anchor": "start" };
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.textContent = content;
  return element;
}

function asSvg(element: Element): SVGSVGElement {
  if (element.tagName.toLowerCase() !== "svg") throw new Error(`The plot is a <${element.tagName}>, not an SVG.`);
  return element as SVGSVGElement;
}

/** One name with all sentences for readers who do not see the plot, instead of a name on each group of marks. */
function describePlot(svg: SVGSVGElement, sentences: readonly string[]): SVGSVGElement {
  for (const group of svg.querySelectorAll("[aria-label]")) {
    const names = [group.getAttribute("aria-description"), group.getAttribute("aria-label")];
    group.setAttribute("data-part", names.find((name) => name !== null) ?? "");
    group.removeAttribute("aria-label");
    group.removeAttribute("aria-description");
  }
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", ["Latency per run.", ...sentences].join(" "));
  return svg;
}
