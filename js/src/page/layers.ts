/** Where a model differs: the question for verdicts that did not pass; what was found as sentence, plot and table. */
import { formatError } from "../format";
import { layerPlot } from "../plot/layerPlot";
import { seriesLabel, stylesOf } from "../plot/series";
import type { Divergence, JobState, LayerRow, Snapshot, TaskName } from "../protocol";
import { type Make, redraw } from "./dom";
import { sameJob } from "./runState";
import type { View } from "./session";
import { errorBox } from "./table";
import { TaskControl } from "./taskControl";

const PLOT_HEIGHT = 220;
const WORDS = {
  question: "Where does it differ?",
  button: "Find the layer",
  title: "Compares the output of every Keras layer with Python's.",
};
const SEARCHED = new Set(["failed", "reported"]);

export class LayersSection {
  readonly element: HTMLElement;
  #make: Make;
  #control: TaskControl;
  #content: HTMLElement;

  /** `start` runs a task. */
  constructor(make: Make, start: (task: TaskName) => void) {
    this.#make = make;
    this.#control = new TaskControl(make, "divergence", WORDS, start);
    this.#content = make("div");
    this.element = make("div", { class: "tm-layers" }, this.#control.element, this.#content);
  }

  draw(view: View, width: number): void {
    const { snapshot } = view;
    const ended = snapshot.status === "finished" || snapshot.status === "stopped" || snapshot.status === "failed";
    const doubted = snapshot.jobs.filter(({ parity }) => SEARCHED.has(parity?.status ?? ""));
    this.#control.draw(view, ended ? doubted : []);
    const blocks = snapshot.jobs.flatMap((job, index) => this.#block(snapshot, job, index, width));
    redraw(this.#content, blocks);
  }

  #block(snapshot: Snapshot, job: JobState, index: number, width: number): HTMLElement[] {
    const make = this.#make;
    const { task } = snapshot;
    const error =
      task?.kind === "divergence" && task.status === "failed" && sameJob(task.job, job.job) ? task.error : null;
    if (!job.divergence && !error) return [];
    const title = make("p", {}, make("strong", {}, `Error of each layer: ${seriesLabel(snapshot, job)}`));
    const color = stylesOf(snapshot)[index]?.color ?? "currentColor";
    const content = job.divergence ? found(make, job.divergence, { width, color }) : [];
    return [make("div", { class: "tm-layer-search" }, title, ...(error ? [errorBox(make, error)] : []), ...content)];
  }
}

function found(make: Make, divergence: Divergence, size: { width: number; color: string }): Node[] {
  const compared = divergence.rows.filter(({ max_rel_error }) => max_rel_error !== null);
  const plot = make("div", { class: "tm-layer-plot" });
  if (compared.length > 0) {
    plot.append(layerPlot(plot.ownerDocument, divergence, { ...size, height: PLOT_HEIGHT }));
  }
  return [make("p", {}, divergence.sentence), plot, layerTable(make, divergence)];
}

function layerTable(make: Make, { rows, first }: Divergence): HTMLElement {
  const heads = ["Layer", "Class", "Relative to largest", "New here", "Max abs error", "Tolerance", "Verdict"];
  const head = make("thead", {}, make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text))));
  const body = make("tbody", {}, ...rows.map((row) => layerRow(make, row, row.layer === first)));
  const scroll = make("div", { class: "tm-scroll tm-tall", tabindex: "0" }, make("table", {}, head, body));
  return make("details", {}, make("summary", {}, `All ${rows.length} layers`), scroll);
}

function layerRow(make: Make, row: LayerRow, named: boolean): HTMLElement {
  const number = (value: number | null) => (value === null ? "–" : formatError(value));
  const verdict = row.max_rel_error === null ? row.note : row.passed ? "" : "beyond the bound";
  const cells = [
    row.layer_class,
    number(row.max_rel_error),
    number(row.added),
    number(row.max_abs_error),
    number(row.tolerance),
    verdict,
  ];
  const attributes: Record<string, string> = named ? { class: "tm-named" } : {};
  const name = make("th", { scope: "row" }, row.layer);
  return make("tr", attributes, name, ...cells.map((text) => make("td", {}, text)));
}
