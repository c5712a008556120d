import type { MarkStyle, MarkSymbol } from "./series";

const SVG = "http://www.w3.org/2000/svg";
/** The shapes that Plot draws under these names, in a box from -7 to 7. */
const PATHS: Record<MarkSymbol, string> = {
  circle: "M5 0A5 5 0 1 1 -5 0A5 5 0 1 1 5 0Z",
  square: "M-4.5 -4.5H4.5V4.5H-4.5Z",
  triangle: "M0 -6L5.5 4H-5.5Z",
  diamond: "M0 -6.5L4 0L0 6.5L-4 0Z",
  star: "M0 -6.5L1.6 -2.1L6.2 -2L2.5 0.8L3.8 5.2L0 2.6L-3.8 5.2L-2.5 0.8L-6.2 -2L-1.6 -2.1Z",
  wye: "M-2 6V1.2L-6.2 -1.2L-4.2 -4.7L0 -2.3L4.2 -4.7L6.2 -1.2L2 1.2V6Z",
};

/** The mark of a series in 14 × 14 pixels around the origin. */
export function markPath(document: Document, { color, symbol, hollow }: MarkStyle): SVGPathElement {
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", PATHS[symbol]);
  path.setAttribute("fill", hollow ? "none" : color);
  path.setAttribute("stroke", color);
  path.setAttribute("stroke-width", hollow ? "1.8" : "0");
  return path;
}

/** The mark of a series, for legend and table. */
export function swatch(document: Document, style: MarkStyle): SVGSVGElement {
  const svg = document.createElementNS(SVG, "svg");
  const size = { width: "14", height: "14", viewBox: "-7 -7 14 14", "aria-hidden": "true", class: "tm-swatch" };
  for (const [name, value] of Object.entries(size)) svg.setAttribute(name, value);
  svg.append(markPath(document, style));
  return svg;
}
