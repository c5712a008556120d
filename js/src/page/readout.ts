/**
 * Tells the latency under the pointer, the finger or the arrow keys. Own code, not Plot's pointer transform: the plot is
 * drawn anew while it runs, which the read-out outlives, and keys choose a run there too.
 */
import { formatMs } from "../format";
import type { LatencyPlot, PlottedPoint } from "../plot/latencyPlot";
import type { Make } from "./dom";

/** Beyond this distance in pixels the pointer means no point. */
const REACH_PX = 40;
const TIP_GAP_PX = 10;

export class Readout {
  /** Holds the plot; takes the focus. */
  readonly element: HTMLElement;
  #canvas: HTMLElement;
  #ring: HTMLElement;
  #tip: HTMLElement;
  #live: HTMLElement;
  #plot: LatencyPlot | null = null;
  #chosen: PlottedPoint | null = null;

  constructor(make: Make, height: number, signal: AbortSignal) {
    this.#canvas = make("div", { style: `min-height:${height}px` });
    this.#ring = make("div", { class: "tm-ring", hidden: "" });
    this.#tip = make("div", { class: "tm-tip", "aria-hidden": "true", hidden: "" });
    this.#live = make("div", { class: "tm-hidden", role: "status", "aria-live": "polite" });
    const label = "Latency per run. Left and right arrow: the next run; up and down: the next series.";
    const attributes = { class: "tm-plot", role: "application", tabindex: "0", "aria-label": label };
    this.element = make("div", attributes, this.#canvas, this.#ring, this.#tip, this.#live);
    const point = (event: PointerEvent) => this.#choose(this.#nearest(event));
    this.element.addEventListener("pointermove", point, { signal });
    this.element.addEventListener("pointerdown", point, { signal });
    this.element.addEventListener("pointerleave", ({ pointerType }) => pointerType === "mouse" && this.#choose(null), {
      signal,
    });
    this.element.addEventListener("blur", () => this.#choose(null), { signal });
    this.element.addEventListener("keydown", (event) => this.#onKey(event), { signal });
  }

  /** Another drawing; what was read out stays so where it is still shown. */
  show(plot: LatencyPlot): void {
    this.#plot = plot;
    this.#canvas.replaceChildren(plot.svg);
    const before = this.#chosen;
    this.#choose(before && (plot.points.find((point) => isSame(point, before)) ?? null));
  }

  #nearest({ clientX, clientY }: PointerEvent): PlottedPoint | null {
    const svg = this.#plot?.svg.getBoundingClientRect();
    if (!svg) return null;
    let [nearest, least]: [PlottedPoint | null, number] = [null, REACH_PX ** 2];
    for (const point of this.#plot?.points ?? []) {
      const distance = (point.x - clientX + svg.left) ** 2 + (point.y - clientY + svg.top) ** 2;
      if (distance < least) [nearest, least] = [point, distance];
    }
    return nearest;
  }

  #onKey(event: KeyboardEvent): void {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    const next = this.#after(event.key);
    if (next === undefined) return;
    event.preventDefault();
    event.stopPropagation();
    this.#choose(next);
    this.#live.textContent = next ? sentence(next) : "";
  }

  /** Where a key leads to; undefined for a key that is not ours. */
  #after(key: string): PlottedPoint | null | undefined {
    const points = this.#plot?.points ?? [];
    const here = this.#chosen;
    if (key === "Escape") return here ? null : undefined;
    const jobs = [...new Set(points.map(({ series }) => series.job))];
    const of = (job: number | undefined) => points.filter(({ series }) => series.job === job);
    const own = of(here?.series.job ?? jobs[0]);
    const at = here ? own.indexOf(here) : -1;
    const step = { ArrowRight: 1, ArrowLeft: -1 }[key];
    if (step) return own[Math.min(Math.max(here ? at + step : firstRun(own), 0), own.length - 1)] ?? null;
    if (key === "Home") return own[0] ?? null;
    if (key === "End") return own.at(-1) ?? null;
    const turn = { ArrowDown: 1, ArrowUp: -1 }[key];
    if (!turn) return undefined;
    if (!here) return own[firstRun(own)] ?? null;
    const other = of(jobs[(jobs.indexOf(here.series.job) + turn + jobs.length) % jobs.length]);
    return other.find(({ phase, index }) => phase === here.phase && index === here.index) ?? other.at(-1) ?? null;
  }

  #choose(point: PlottedPoint | null): void {
    this.#chosen = point;
    this.#ring.hidden = this.#tip.hidden = point === null;
    if (!point) return;
    this.#ring.style.left = `${point.x}px`;
    this.#ring.style.top = `${point.y}px`;
    this.#tip.textContent = sentence(point);
    const onLeft = point.x > this.element.clientWidth / 2;
    this.#tip.style.left = onLeft ? "auto" : `${point.x + TIP_GAP_PX}px`;
    this.#tip.style.right = onLeft ? `${this.element.clientWidth - point.x + TIP_GAP_PX}px` : "auto";
    this.#tip.style.top = `${Math.max(0, point.y - 28)}px`;
  }
}

function isSame(a: PlottedPoint, b: PlottedPoint): boolean {
  return a.series.job === b.series.job && a.phase === b.phase && a.index === b.index;
}

function firstRun(points: readonly PlottedPoint[]): number {
  return Math.max(
    0,
    points.findIndex(({ phase }) => phase === "run"),
  );
}

/** "MobileNet, wasm, run 5: 20.9 ms". */
function sentence({ series, phase, index, ms }: PlottedPoint): string {
  const names = { first: "first run", warmup: `warm-up ${index + 1}`, run: `run ${index + 1}` };
  return `${series.label}, ${names[phase]}: ${formatMs(ms)}`;
}
