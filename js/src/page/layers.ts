/** Where a model differs: a button for each verdict that did not pass, then a sentence, a plot and a table. */
import { formatError } from "../format";
import { layerPlot } from "../plot/layerPlot";
import { seriesLabel, stylesOf } from "../plot/series";
import type { Divergence, JobState, LayerRow, Snapshot, TaskName } from "../protocol";
import { type Make, redraw } from "./dom";
import { sameJob } from "./runState";
import type { View } from "./session";
import { errorBox } from "./table";

const PLOT_HEIGHT = 220;

export class LayersSection {
  readonly element: HTMLElement;
  #make: Make;
  #start: (task: TaskName) => void;

  /** `start` runs a task. */
  constructor(make: Make, start: (task: TaskName) => void) {
    this.#make = make;
    this.#start = start;
    this.element = make("div", { class: "tm-layers" });
  }

  draw({ snapshot, activity, elsewhere }: View, width: number): void {
    const busy = activity !== "idle" || elsewhere || snapshot.status === "running";
    const blocks = snapshot.jobs.flatMap((job, index) => this.#block(snapshot, job, index, width, busy));
    redraw(this.element, blocks);
  }

  #block(snapshot: Snapshot, job: JobState, index: number, width: number, busy: boolean): HTMLElement[] {
    const status = job.parity?.status ?? "";
    const ended = snapshot.status === "finished" || snapshot.status === "stopped" || snapshot.status === "failed";
    if (!job.divergence && !(ended && (status === "failed" || status === "reported"))) return [];
    const make = this.#make;
    const button = make("button", { type: "button" }, job.divergence ? "Look again" : "Find the layer");
    button.disabled = busy;
    button.addEventListener("click", () => this.#start({ kind: "divergence", job: job.job }));
    const title = `${seriesLabel(snapshot, job)}: where does it differ?`;
    const block = make("div", { class: "tm-layer-search" }, make("p", {}, make("strong", {}, title), " ", button));
    const { task } = snapshot;
    if (task?.kind === "divergence" && task.status === "failed" && task.error && sameJob(task.job, job.job)) {
      block.append(errorBox(make, task.error));
    }
    if (job.divergence)
      block.append(
        ...found(make, job.divergence, { width, color: stylesOf(snapshot)[index]?.color ?? "currentColor" }),
      );
    return [block];
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
