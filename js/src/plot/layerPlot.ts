/** Error of each layer in the model's order, as SVG: log scale, the bound as a rule, the layer that is named marked. */
import * as Plot from "@observablehq/plot";
import { formatError } from "../format";
import type { Divergence, LayerRow } from "../protocol";

export type LayerPlotOptions = { width: number; height: number; color: string };

/** Below this no error of float32 lies: what agrees to the last bit is shown there. */
const LOWEST = 1e-9;
/** What no number bounds is shown there. */
const HIGHEST = 1e3;

type Point = { x: number; y: number; row: LayerRow };

export function layerPlot(document: Document, divergence: Divergence, options: LayerPlotOptions): SVGSVGElement {
  const points = pointsOf(divergence);
  const { bound, first } = divergence;
  const errors = [bound, ...points.map(({ y }) => y)];
  const bottom = 10 ** Math.floor(Math.log10(Math.min(...errors, bound / 1e3)));
  const top = 10 ** Math.ceil(Math.log10(Math.max(...errors) * 1.5));
  const named = points.filter(({ row }) => row.layer === first);
  const channels = { x: "x", y: "y", title: ({ row }: Point) => titleOf(row) } as const;
  const radius = points.length > 100 ? 1.8 : 2.8;
  const svg = Plot.plot({
    document,
    width: options.width,
    height: options.height,
    marginTop: 22,
    marginBottom: 38,
    marginLeft: 52,
    marginRight: 18,
    style: { background: "transparent", overflow: "visible", fontFamily: "inherit", fontSize: "11px" },
    x: { domain: [0.5, points.length + 0.5] },
    y: {
      type: "log",
      domain: [bottom, top],
      label: "error",
      labelArrow: "none",
      grid: true,
      ticks: 5,
      tickFormat: ".0e",
    },
    marks: [
      Plot.axisX({
        ticks: layerTicks(points.length),
        tickFormat: "d",
        label: "layer, in the order of the calls",
        labelAnchor: "center",
        labelArrow: "none",
        labelOffset: 32,
      }),
      Plot.ruleY([bound], { stroke: "currentColor", strokeDasharray: "5,3" }),
      Plot.text([{ y: bound }], {
        y: "y",
        frameAnchor: "right",
        text: () => `bound ${formatError(bound)}`,
        textAnchor: "end",
        dy: -7,
      }),
      Plot.line(points, { x: "x", y: "y", stroke: options.color, strokeOpacity: 0.5, strokeWidth: 1 }),
      Plot.dot(points, { ...channels, fill: options.color, r: radius }),
      Plot.dot(named, { ...channels, stroke: "currentColor", strokeWidth: 2, r: 6 }),
      Plot.text(named, {
        x: "x",
        y: "y",
        text: () => first,
        dy: -12,
        textAnchor: nameAnchor(named[0], points.length),
        fontWeight: 600,
      }),
    ],
  });
  if (svg.tagName.toLowerCase() !== "svg") throw new Error(`The plot is a <${svg.tagName}>, not an SVG.`);
  return describe(document, svg as SVGSVGElement, divergence);
}

function pointsOf({ rows }: Divergence): Point[] {
  return rows
    .filter(({ max_rel_error }) => max_rel_error !== null)
    .map((row, i) => ({ x: i + 1, y: Math.min(Math.max(row.max_rel_error ?? 0, LOWEST), HIGHEST), row }));
}

function titleOf(row: LayerRow): string {
  const added = row.added ? `, ${formatError(row.added)} of it new` : "";
  return `${row.layer} (${row.layer_class}): error ${formatError(row.max_rel_error ?? 0)}${added}`;
}

/** At most eight whole numbers: 1 and round ones. */
function layerTicks(count: number): number[] {
  const step = [1, 2, 5, 10, 20, 50, 100, 200, 500].find((size) => count / size <= 7) ?? 1000;
  const round = Array.from({ length: Math.floor(count / step) }, (_, i) => (i + 1) * step);
  return step === 1 ? round : [1, ...round];
}

/** The name stays within the plot. */
function nameAnchor(point: Point | undefined, count: number): "start" | "middle" | "end" {
  const place = (point?.x ?? 0) / Math.max(count, 1);
  if (place < 0.25) return "start";
  return place > 0.75 ? "end" : "middle";
}

function describe(document: Document, svg: SVGSVGElement, { sentence }: Divergence): SVGSVGElement {
  const make = (tag: "title" | "desc", text: string) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    element.textContent = text;
    return element;
  };
  // Plot labels its groups, which have no role: readers hear the sentence instead.
  for (const group of svg.querySelectorAll("g[aria-label]")) group.removeAttribute("aria-label");
  svg.setAttribute("role", "img");
  svg.prepend(make("title", "Error of each layer"), make("desc", sentence));
  return svg;
}
