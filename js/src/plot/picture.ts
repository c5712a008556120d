/** The plot as a file: with title and legend. */
import { formatMs } from "../format";
import type { Snapshot } from "../protocol";
import { summarize } from "../stats";
import { latencyPlot } from "./latencyPlot";
import { type Series, seriesOf } from "./series";
import { markPath } from "./swatch";

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 720;
const PLOT_HEIGHT = 280;
const LINE = 18;
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
  const head = LINE * (series.length + 1) + 10;
  const root = document.createElementNS(SVG, "svg");
  root.setAttribute("width", String(WIDTH));
  root.setAttribute("height", String(head + PLOT_HEIGHT));
  root.setAttribute("viewBox", `0 0 ${WIDTH} ${head + PLOT_HEIGHT}`);
  root.setAttribute("font-family", "system-ui, sans-serif");
  root.setAttribute("font-size", "12");
  root.setAttribute("fill", ink);
  root.setAttribute("color", ink);
  if (paper) root.append(background(document, paper));
  const names = snapshot.models.map((model) => model.label).join(", ");
  root.append(text(document, `Latency per run in the browser: ${names}`, 4, LINE - 4, "600"));
  for (const [i, one] of series.entries()) root.append(...legendLine(document, one, LINE * (i + 2) - 4));
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
  return [mark, text(document, `${series.label}: median ${formatMs(median)}${tail}, ${count} runs`, 20, y, "400")];
}

function background(document: Document, fill: string): Element {
  const rect = document.createElementNS(SVG, "rect");
  for (const [name, value] of Object.entries({ width: "100%", height: "100%", fill })) rect.setAttribute(name, value);
  return rect;
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
