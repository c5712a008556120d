/** The DOM of one view. Redrawn from the whole state, at most once per frame. */
import { formatBytes } from "../format";
import { latencyPlot } from "../plot/latencyPlot";
import { seriesOf } from "../plot/series";
import type { Environment, Snapshot } from "../protocol";
import { comparisonLines } from "./comparisons";
import { type Make, maker, redraw } from "./dom";
import type { Session, View } from "./session";
import { statusLine } from "./status";
import { STYLES } from "./styles";
import { errorBox, JobTable } from "./table";

const PLOT_HEIGHT = 260;
const MIN_WIDTH = 280;

/** Shows `session` in `el` until `signal` aborts. */
export class BenchmarkView {
  #make: Make;
  #parts: Parts;
  #shown: View | null = null;
  #drawn: { snapshot: Snapshot; width: number } | null = null;

  constructor(session: Session, el: HTMLElement, signal: AbortSignal) {
    this.#make = maker(el.ownerDocument);
    this.#parts = makeParts(this.#make);
    const { root, stop, again } = this.#parts;
    el.append(root);
    const schedule = oncePerFrame(() => this.#shown && this.#draw(this.#shown), signal);
    stop.addEventListener("click", () => session.stop(), { signal });
    again.addEventListener("click", () => session.start(true), { signal });
    const resize = new ResizeObserver(schedule);
    resize.observe(root);
    signal.addEventListener("abort", () => resize.disconnect(), { once: true });
    session.attach((view) => {
      this.#shown = view;
      schedule();
    }, signal);
  }

  #draw(view: View): void {
    const { root, stop, again, text, bar, live } = this.#parts;
    const { snapshot, activity, elsewhere } = view;
    const line = statusLine(view);
    text.textContent = line.text;
    showProgress(bar, line.share);
    const busy = activity !== "idle";
    stop.disabled = !busy;
    again.disabled = busy || elsewhere;
    again.textContent = snapshot.status === "pending" ? "Run" : "Run again";
    root.dataset["status"] = busy && activity !== "running" ? activity : snapshot.status;
    if (live.textContent !== line.spoken) live.textContent = line.spoken;
    const width = Math.max(MIN_WIDTH, Math.floor(root.clientWidth || 640));
    if (this.#drawn?.snapshot !== snapshot || this.#drawn.width !== width) this.#drawResults(snapshot, width);
  }

  #drawResults(snapshot: Snapshot, width: number): void {
    const { root, models, notes, plot, table, comparisons, footer } = this.#parts;
    this.#drawn = { snapshot, width };
    models.replaceChildren(...snapshot.models.map((model) => modelItem(this.#make, model)));
    redraw(notes, noteBoxes(this.#make, snapshot));
    plot.replaceChildren(latencyPlot(root.ownerDocument, seriesOf(snapshot), { width, height: PLOT_HEIGHT }));
    table.draw(snapshot);
    redraw(
      comparisons,
      comparisonLines(snapshot).map((line) => this.#make("li", {}, line)),
    );
    footer.textContent = snapshot.environment ? environmentText(snapshot.environment) : "";
  }
}

type Parts = ReturnType<typeof makeParts>;

function makeParts(make: Make) {
  const models = make("ul", { class: "tm-models" });
  const again = make("button", { type: "button" }, "Run again");
  const stop = make("button", { type: "button" }, "Stop");
  const text = make("p");
  const bar = make("progress", { max: "1", "aria-label": "Progress" });
  const live = make("div", { class: "tm-hidden", role: "status", "aria-live": "polite" });
  const notes = make("div");
  const plot = make("div", { class: "tm-plot", style: `min-height:${PLOT_HEIGHT}px` });
  const table = new JobTable(make);
  const comparisons = make("ul", { class: "tm-comparisons", "aria-label": "Comparison of the medians" });
  const footer = make("footer");
  const root = make(
    "section",
    { class: "tfjs-magic", "aria-label": "TensorFlow.js benchmark" },
    make("style", {}, STYLES),
    make("header", {}, models, make("div", { class: "tm-buttons" }, stop, again)),
    make("div", { class: "tm-status" }, text, bar),
    live,
    notes,
    plot,
    table.element,
    comparisons,
    footer,
  );
  return { root, models, again, stop, text, bar, live, notes, plot, table, comparisons, footer };
}

/** requestAnimationFrame rests in hidden tabs; the state is drawn when the tab is seen again. */
function oncePerFrame(task: () => void, signal: AbortSignal): () => void {
  let frame = 0;
  signal.addEventListener("abort", () => cancelAnimationFrame(frame), { once: true });
  return () => {
    if (frame !== 0 || signal.aborted) return;
    frame = requestAnimationFrame(() => {
      frame = 0;
      task();
    });
  };
}

function showProgress(bar: HTMLProgressElement, share: number | null | undefined): void {
  bar.toggleAttribute("data-off", share === undefined);
  if (share === null || share === undefined) bar.removeAttribute("value");
  else bar.value = share;
}

function modelItem(make: Make, model: Snapshot["models"][number]): HTMLElement {
  const size = `${model.format}, ${formatBytes(model.nbytes)} of weights`;
  return make("li", {}, make("strong", {}, model.label), " ", make("span", {}, size));
}

function noteBoxes(make: Make, snapshot: Snapshot): HTMLElement[] {
  const boxes: HTMLElement[] = [];
  if (snapshot.error) boxes.push(errorBox(make, snapshot.error));
  if (snapshot.environment && !snapshot.environment.worker) {
    const text = "No web worker started, so the model runs on the page's main thread, which may stutter.";
    boxes.push(make("div", { class: "tm-note" }, `${text} ${snapshot.environment.worker_problem}`));
  }
  if (snapshot.jobs.some((job) => job.software)) {
    const text = "A software GPU computes on the CPU: its times say nothing about a real GPU.";
    boxes.push(make("div", { class: "tm-note" }, text));
  }
  const doubts = snapshot.jobs.flatMap(({ parity }) => (parity?.status === "inconclusive" ? parity.note : []));
  for (const text of new Set(doubts)) boxes.push(make("div", { class: "tm-note" }, text));
  for (const text of snapshot.warnings) boxes.push(make("p", { class: "tm-quiet" }, text));
  return boxes;
}

function environmentText(environment: Environment): string {
  const step = environment.clock_resolution_ms;
  const clock = step >= 1 ? `${step} ms` : `${Number((step * 1000).toPrecision(2))} µs`;
  const parts = [
    `TensorFlow.js ${environment.tfjs_version}`,
    environment.worker ? "in a worker" : "on the main thread",
    `${environment.hardware_concurrency} cores`,
    `clock step ${clock}`,
    browserName(environment.user_agent),
  ];
  return parts.join(" · ");
}

/** "Chrome 126" from the long string; the string itself where it looks unfamiliar. */
function browserName(userAgent: string): string {
  const match = /(Firefox|Edg|OPR|HeadlessChrome|Chrome|Version)\/(\d+)/.exec(
    userAgent.replace(/Chrome\/\d+.*(Edg|OPR)/, "$1"),
  );
  if (!match) return userAgent;
  const names: Record<string, string> = {
    Edg: "Edge",
    OPR: "Opera",
    HeadlessChrome: "Chrome (headless)",
    Version: "Safari",
  };
  return `${names[match[1] ?? ""] ?? match[1] ?? ""} ${match[2] ?? ""}`;
}
