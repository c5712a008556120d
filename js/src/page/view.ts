/** The DOM of one view. Redrawn from the whole state, at most once per frame. */
import { formatBytes, printable } from "../format";
import { latencyPlot } from "../plot/latencyPlot";
import { seriesOf } from "../plot/series";
import type { Snapshot } from "../protocol";
import { comparisonLines } from "./comparisons";
import { RunControls } from "./controls";
import { type Make, maker, redraw } from "./dom";
import { environmentText } from "./environment";
import { ExportRow } from "./exports";
import { LayersSection } from "./layers";
import { Legend } from "./legend";
import { ProfilePanel } from "./profilePanel";
import { Readout } from "./readout";
import type { Session, View } from "./session";
import { statusLine } from "./status";
import { STYLES } from "./styles";
import { errorBox, JobTable } from "./table";
import { TryIt } from "./tryIt";
import { TRY_STYLES } from "./tryStyles";

const PLOT_HEIGHT = 260;
const MIN_WIDTH = 280;

/** Shows `session` in `el` until `signal` aborts. */
export class BenchmarkView {
  #make: Make;
  #parts: Parts;
  #layers: LayersSection;
  #shown: View | null = null;
  #drawn: { snapshot: Snapshot; width: number } | null = null;

  constructor(session: Session, el: HTMLElement, signal: AbortSignal) {
    this.#make = maker(el.ownerDocument);
    const schedule = oncePerFrame(() => this.#shown && this.#draw(this.#shown), signal);
    const redrawPlot = () => {
      this.#drawn = null;
      schedule();
    };
    this.#parts = makeParts(this.#make, session, redrawPlot, signal);
    const { root, stop, again, controls, comparisons } = this.#parts;
    this.#layers = new LayersSection(this.#make, (task) => session.startTask(task));
    comparisons.after(this.#layers.element);
    el.append(root);
    stop.addEventListener("click", () => session.stop(), { signal });
    again.addEventListener("click", () => controls.isValid && session.start(true, controls.choice), { signal });
    const resize = new ResizeObserver(schedule);
    resize.observe(root);
    signal.addEventListener("abort", () => resize.disconnect(), { once: true });
    session.attach((view) => {
      this.#shown = view;
      schedule();
    }, signal);
  }

  #draw(view: View): void {
    const { root, stop, again, text, bar, live, controls, tryIt, profiles, exporting } = this.#parts;
    const { snapshot, activity, elsewhere } = view;
    const line = statusLine(view);
    text.textContent = line.text;
    showProgress(bar, line.share);
    const busy = activity !== "idle";
    stop.disabled = !busy;
    again.disabled = busy || elsewhere || view.gone === true;
    again.textContent = snapshot.status === "pending" ? "Run" : "Run again";
    root.dataset["status"] = busy && activity !== "running" && !view.forTask ? activity : snapshot.status;
    if (live.textContent !== line.spoken) live.textContent = line.spoken;
    controls.draw(snapshot, busy);
    tryIt.draw(view);
    profiles.draw(view);
    exporting.draw(snapshot, busy);
    // Nobody sees it: in a hidden tab, or while the front end changes its theme. It is drawn once it has a width again.
    if (root.clientWidth === 0) return;
    const width = Math.max(MIN_WIDTH, root.clientWidth);
    if (this.#drawn?.snapshot !== snapshot || this.#drawn.width !== width) this.#drawResults(snapshot, width);
    this.#layers.element.hidden = view.solo === true;
    this.#layers.draw(view, width);
  }

  #drawResults(snapshot: Snapshot, width: number): void {
    const { root, models, notes, readout, legend, table, comparisons, footer } = this.#parts;
    this.#drawn = { snapshot, width };
    models.replaceChildren(...snapshot.models.map((model) => modelItem(this.#make, model)));
    redraw(notes, noteBoxes(this.#make, snapshot));
    const shown = seriesOf(snapshot).filter(({ job }) => !legend.hidden.has(job));
    readout.show(latencyPlot(root.ownerDocument, shown, { width, height: PLOT_HEIGHT }));
    legend.draw(snapshot);
    table.draw(snapshot);
    redraw(
      comparisons,
      comparisonLines(snapshot).map((line) => this.#make("li", {}, line)),
    );
    footer.textContent = snapshot.environment ? environmentText(snapshot.environment) : "";
  }
}

type Parts = ReturnType<typeof makeParts>;

function makeParts(make: Make, session: Session, redrawPlot: () => void, signal: AbortSignal) {
  const models = make("ul", { class: "tm-models" });
  const again = make("button", { type: "button" }, "Run again");
  const stop = make("button", { type: "button" }, "Stop");
  const text = make("p");
  const bar = make("progress", { max: "1", "aria-label": "Progress" });
  const live = make("div", { class: "tm-hidden", role: "status", "aria-live": "polite" });
  const controls = new RunControls(make, signal);
  const notes = make("div");
  const readout = new Readout(make, PLOT_HEIGHT, signal);
  const legend = new Legend(make, redrawPlot);
  const table = new JobTable(make);
  const comparisons = make("ul", { class: "tm-comparisons", "aria-label": "Comparison of the medians" });
  const tryIt = new TryIt(make, session.client, signal);
  const profiles = new ProfilePanel(make, session);
  const exporting = new ExportRow(make, () => session.resultJson(), signal);
  const footer = make("footer");
  const root = make(
    "section",
    { class: "tfjs-magic", "aria-label": "TensorFlow.js benchmark" },
    make("style", {}, STYLES, TRY_STYLES),
    make("header", {}, models, make("div", { class: "tm-buttons" }, stop, again)),
    controls.element,
    make("div", { class: "tm-status" }, text, bar),
    live,
    notes,
    readout.element,
    legend.element,
    table.element,
    comparisons,
    tryIt.element,
    profiles.element,
    exporting.element,
    footer,
  );
  return {
    root,
    models,
    again,
    stop,
    text,
    bar,
    live,
    controls,
    notes,
    readout,
    legend,
    table,
    comparisons,
    tryIt,
    profiles,
    exporting,
    footer,
  };
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
  return make("li", {}, make("strong", {}, printable(model.label)), " ", make("span", {}, size));
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
