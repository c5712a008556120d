/** The plot as a file: with title and legend, and the medians as bars where there are several. */
import { formatMs, printable } from "../format";
import type { Snapshot } from "../protocol";
import { summarize } from "../stats";
import { latencyPlot } from "./latencyPlot";
import { type MedianBar, medianBars } from "./medianBars";
import { type Series, seriesOf } from "./series";
import { markPath } from "./swatch";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 720;
const PLOT_HEIGHT = 280;
const LINE = 18;
const BAR = { left: 20, width: WIDTH - 24, height: 6, line: 11 };
/** In characters: what fits into a line, at 7 pixels for one. */
const MAX_TITLE = 90;
const MAX_LABEL = 60;
const NEUTRAL = "#777";
/** Attributes that hold coordinates; a hundredth of a pixel is enough in a saved notebook. */
const COORDINATES = ["d", "x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "width", "height", "transform"];

/** `ink`: of everything but the series. Without `paper` the picture is transparent, and reads on white and on black. */
export type Palette = { ink: string; paper?: string };

export function latencyPicture(
  document: Document,
  snapshot: Snapshot,
  { ink, paper }: Palette = { ink: NEUTRAL },
): string {
  const series = seriesOf(snapshot).filter((one) => one.runMs.length > 0);
  const bars = series.length > 1 ? medianBars(series) : [];
  const step = LINE + (bars.length > 0 ? BAR.line : 0);
  const head = LINE + step * series.length + 10;
  const root = document.createElementNS(SVG, "svg");
  root.setAttribute("width", String(WIDTH));
  root.setAttribute("height", String(head + PLOT_HEIGHT));
  root.setAttribute("viewBox", `0 0 ${WIDTH} ${head + PLOT_HEIGHT}`);
  root.setAttribute("font-family", "system-ui, sans-serif");
  root.setAttribute("font-size", "12");
  root.setAttribute("fill", ink);
  root.setAttribute("color", ink);
  if (paper) root.append(background(document, paper));
  const names = printable(snapshot.models.map((model) => model.label).join(", "));
  const title = shortened(`Latency per run in the browser: ${names}`, MAX_TITLE);
  root.append(text(document, title, 4, LINE - 4, "600"));
  for (const [i, one] of series.entries()) {
    const y = LINE * 2 + step * i - 4;
    root.append(...legendLine(document, one, y), ...barMarks(document, one, bars[i] ?? null, y + 6));
  }
  const { svg: plot } = latencyPlot(document, series, { width: WIDTH, height: PLOT_HEIGHT });
  plot.setAttribute("y", String(head));
  // Both are about the page that Plot draws in; inlined elsewhere they would reach beyond this picture.
  plot.removeAttribute("style");
  plot.querySelector("style")?.remove();
  root.append(plot);
  for (const element of root.querySelectorAll("*")) roundCoordinates(element);
  return new XMLSerializer().serializeToString(root);
}

function legendLine(document: Document, series: Series, y: number): Element[] {
  const { count, median, p90 } = summarize(series.runMs);
  const mark = markPath(document, series);
  mark.setAttribute("transform", `translate(9 ${y - 4})`);
  const tail = p90 === null ? "" : `, p90 ${formatMs(p90)}`;
  const label = shortened(series.label, MAX_LABEL);
  return [mark, text(document, `${label}: median ${formatMs(median)}${tail}, ${count} runs`, 20, y, "400")];
}

function shortened(words: string, most: number): string {
  const characters = [...words];
  return characters.length > most ? `${characters.slice(0, most - 1).join("")}…` : words;
}

/** `y` is the upper edge. */
function barMarks(document: Document, { color }: Series, bar: MedianBar | null, y: number): Element[] {
  if (!bar) return [];
  const { left, width, height } = BAR;
  const size = { x: left, y, width: width * bar.length, height };
  const median = shape(document, "rect", { ...size, fill: color, opacity: 0.75, "data-part": "median-bar" });
  if (!bar.interval) return [median];
  const [low, high] = bar.interval.map((share) => left + width * share) as [number, number];
  const d = `M${low} ${y - 2}v${height + 4}M${low} ${y + height / 2}H${high}M${high} ${y - 2}v${height + 4}`;
  return [median, shape(document, "path", { d, stroke: "currentColor", fill: "none", "data-part": "median-interval" })];
}

function background(document: Document, fill: string): Element {
  return shape(document, "rect", { width: "100%", height: "100%", fill });
}

function shape(document: Document, tag: "path" | "rect", attributes: Record<string, string | number>): Element {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  return element;
}

function text(document: Document, content: string, x: number, y: number, weight: string): SVGTextElement {
  const element = document.createElementNS(SVG, "text");
  element.setAttribute("x", String(x));
  element.setAttribute("y", String(y));
  element.setAttribute("font-weight", weight);
  element.textContent = content;
  return element;
}

function roundCoordinates(element: Element): void {
  for (const name of COORDINATES) {
    const value = element.getAttribute(name);
    if (value)
      element.setAttribute(
        name,
        value.replace(/\d+\.\d{3,}/g, (digits) => String(Number(Number(digits).toFixed(2)))),
      );
  }
}
