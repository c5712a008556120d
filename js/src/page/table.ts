/** One row per job, with a row for what does not fit into numbers: the comparison with Python, errors. */
import { formatCount, formatError, formatMs, formatRange } from "../format";
import { randomId } from "../pageShared";
import { backendLabel, type MarkStyle, modelLabel, stylesOf } from "../plot/series";
import { swatch } from "../plot/swatch";
import { type JobState, MIN_RUNS_FOR_P90, type Parity, type Snapshot, type WireError } from "../protocol";
import { summarize } from "../stats";
import { type Make, redraw } from "./dom";
import { footprint } from "./footprint";

const COLUMNS = ["Backend", "Against Python", "Load", "First run", "Median", "p90", "Min"];

export class JobTable {
  readonly element: HTMLElement;
  #make: Make;
  #id = `tfjs-magic-${randomId()}`;
  /** Indices of the jobs whose comparison is unfolded. */
  #open = new Set<number>();

  constructor(make: Make) {
    this.#make = make;
    this.element = make("div", { class: "tm-table" });
  }

  draw(snapshot: Snapshot): void {
    const make = this.#make;
    const styles = stylesOf(snapshot);
    const rows = snapshot.jobs.flatMap((job, index) => {
      const toggle = () => {
        if (!this.#open.delete(index)) this.#open.add(index);
        this.draw(snapshot);
      };
      const detail = { id: `${this.#id}-${index}`, expanded: this.#open.has(index), toggle };
      return [jobRow(make, snapshot, job, styles[index], detail), ...detailRow(make, job, detail)];
    });
    const heads = COLUMNS.map((name) => make("th", { scope: "col" }, name));
    const caption = make("caption", { class: "tm-hidden" }, "Latency by backend");
    const head = make("thead", {}, make("tr", {}, ...heads));
    redraw(this.element, [make("table", { class: "tm-jobs" }, caption, head, make("tbody", {}, ...rows))]);
  }
}

type Detail = { id: string; expanded: boolean; toggle: () => void };

function jobRow(
  make: Make,
  snapshot: Snapshot,
  job: JobState,
  style: MarkStyle | undefined,
  detail: Detail,
): HTMLElement {
  const { count, median, interval, p90, min } = summarize(job.run_ms);
  const within = interval === null ? [] : [intervalText(make, interval)];
  const rate = job.series.label && median ? [rateText(make, (1000 * job.series.examples) / median)] : [];
  const warm =
    job.warmup_ms.length > 0 ? [make("span", { class: "tm-device" }, `${job.warmup_ms.length} warm-ups`)] : [];
  const batch = job.batch > 1 ? [make("span", { class: "tm-device" }, `${job.batch} calls per run`)] : [];
  const cells: [string, ...(string | Node)[]][] = [
    ["Against Python", parityBadge(make, job, detail)],
    ["Load", formatMs(job.load_ms)],
    ["First run", formatMs(job.first_ms), ...warm],
    ["Median", formatMs(median), ...within, ...rate, ...batch],
    ["p90", p90 === null && count > 0 ? tooFew(make) : formatMs(p90)],
    ["Min", formatMs(min)],
  ];
  const head = make("th", { scope: "row" });
  if (style) head.append(swatch(head.ownerDocument, style));
  if (snapshot.models.length > 1) head.append(`${modelLabel(snapshot, job)}: `);
  head.append(job.actual ?? job.job.backend ?? "fastest");
  if (job.series.label) head.append(`, ${job.series.label}`);
  if (job.software) head.append(" ", make("span", { class: "tm-software" }, "SOFTWARE GPU"));
  if (job.device) head.append(make("span", { class: "tm-device" }, job.device));
  const row = make("tr", { "data-job": backendLabel(job), "data-status": job.status }, head);
  for (const [label, ...content] of cells) row.append(make("td", { "data-label": label }, ...content));
  return row;
}

function rateText(make: Make, perSecond: number): HTMLElement {
  return make("span", { class: "tm-device" }, `${formatCount(perSecond)} examples/s`);
}

function intervalText(make: Make, [low, high]: [low: number, high: number]): HTMLElement {
  const title = "With a confidence of 95 % the median lies in between, if the runs do not depend on each other.";
  return make("span", { class: "tm-device", title }, formatRange(low, high));
}

function tooFew(make: Make): HTMLElement {
  return make("span", { title: `A p90 needs at least ${MIN_RUNS_FOR_P90} runs.` }, "–");
}

const VERDICTS: Record<string, [mark: string, text: string, className: string]> = {
  passed: ["✓", "passed", "tm-passed"],
  failed: ["✗", "failed", "tm-failed"],
  inconclusive: ["?", "inconclusive", "tm-inconclusive"],
  reported: ["≈", "reported", ""],
  no_reference: ["", "no reference", ""],
  source_changed: ["", "not compared", ""],
  source_failed: ["", "not compared", ""],
};

function parityBadge(make: Make, job: JobState, { id, expanded, toggle }: Detail): Node | string {
  if (!job.parity) return "–";
  const [mark, text, className] = VERDICTS[job.parity.status] ?? ["", job.parity.status, ""];
  const worst = Math.max(0, ...job.parity.outputs.map((output) => output.max_rel_error));
  // An error that proves nothing is no part of a verdict.
  const tells = job.parity.outputs.length > 0 && job.parity.status !== "inconclusive";
  const error = tells ? ` (error ${formatError(worst)})` : "";
  const attributes = {
    type: "button",
    class: `tm-parity ${className}`,
    "aria-expanded": String(expanded),
    "aria-controls": id,
    title: job.parity.note || "Largest error relative to the largest value. Press for every output.",
  };
  const badge = make("button", attributes, `${mark} ${text}${error}`.trim());
  badge.addEventListener("click", toggle);
  return badge;
}

/** The row that `parityBadge` unfolds; it is there, but hidden, while it is folded. */
function detailRow(make: Make, job: JobState, { id, expanded }: Detail): HTMLElement[] {
  if (!job.error && !job.parity) return [];
  const cell = make("td", { colspan: String(COLUMNS.length) });
  if (job.error) cell.append(errorBox(make, job.error));
  if (job.parity && (expanded || job.parity.status === "failed")) cell.append(...parityDetail(make, job.parity));
  if (expanded || (job.memory?.leaked_tensors ?? 0) > 0)
    cell.append(...footprint(job).map((text) => make("p", {}, text)));
  const row = make("tr", { class: "tm-detail", id }, cell);
  row.hidden = !cell.hasChildNodes();
  return [row];
}

export function errorBox(make: Make, error: WireError): HTMLElement {
  const box = make("div", { class: "tm-error" }, error.message || error.name);
  if (error.stack) box.append(make("details", {}, make("summary", {}, "Details"), make("pre", {}, error.stack)));
  return box;
}

/** An output is judged by itself, where the whole is. */
function verdictOn(output: Parity["outputs"][number], { status }: Parity): string {
  if (status === "inconclusive") return status;
  if (output.passed) return "passed";
  return status === "reported" ? status : "failed";
}

function parityDetail(make: Make, parity: Parity): Node[] {
  const note = make("p", {}, parity.note);
  if (parity.outputs.length === 0) return [note];
  const heads = ["Output", "Max abs error", "Relative to largest", "Tolerance", "Cosine", "Top-1 agreement", "Verdict"];
  const rows = parity.outputs.map((output) => {
    const cells = [
      formatError(output.max_abs_error),
      formatError(output.max_rel_error),
      formatError(output.tolerance),
      output.cosine === null ? "–" : output.cosine.toFixed(6),
      output.top1_agreement === null ? "–" : `${(100 * output.top1_agreement).toFixed(0)} %`,
      verdictOn(output, parity),
    ];
    const name = make("th", { scope: "row" }, output.output);
    return make("tr", {}, name, ...cells.map((text) => make("td", {}, text)));
  });
  const head = make("thead", {}, make("tr", {}, ...heads.map((text) => make("th", { scope: "col" }, text))));
  const table = make("table", {}, head, make("tbody", {}, ...rows));
  return [...(parity.note ? [note] : []), make("div", { class: "tm-scroll", tabindex: "0" }, table)];
}
